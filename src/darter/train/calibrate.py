"""Honest confidences, and a threshold for "unknown", from validation pictures."""

import numpy as np
from numpy.typing import NDArray

from darter.model import Calibration, choose_unknown_threshold, fit_temperature, softmax

KEEP = 0.98  # of the right answers on validation pictures stay answers


def calibrate(
    logits: NDArray[np.float32], labels: NDArray[np.int64], *, keep: float = KEEP
) -> Calibration:
    """Fit the temperature, then the threshold, to held-out pictures.

    logits: (N, classes).   labels: (N,).
    The temperature minimizes the log loss. The threshold is the largest that leaves `keep` of the
    right answers standing; see `darter.model.choose_unknown_threshold`. Without pictures, or
    with too few to tell, nothing is changed or called unknown.
    """
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    correct = probabilities.argmax(axis=1) == labels
    threshold = choose_unknown_threshold(probabilities.max(axis=1), correct, keep=keep)
    return Calibration(temperature, threshold)
