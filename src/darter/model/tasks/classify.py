"""One label per picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.model.confidence import choose_unknown_threshold, fit_temperature
from darter.model.info import Calibration, ModelInfo
from darter.model.metrics import softmax
from darter.model.prediction import Prediction, ranked
from darter.model.tasks.task import Floats


class Classify:
    """Targets are class numbers, int64 (N,); logits meet a softmax."""

    name = "classify"
    measure = "accuracy"

    def targets(self, labels: Sequence[Sequence[str]], classes: Sequence[str]) -> NDArray[np.int64]:
        number = {label: k for k, label in enumerate(classes)}
        return np.array([number[label] for (label,) in labels], np.int64)

    def strata(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        return targets

    def dense(self, targets: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
        return np.eye(classes, dtype=np.float32)[targets]

    def probabilities(self, logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
        return softmax(logits, temperature)

    def loss_and_slope(self, logits: Floats, dense: Floats) -> tuple[Floats, Floats]:
        log_p = log_softmax(logits)
        return -(dense * log_p).sum(axis=1), np.exp(log_p) - dense

    def curvature(self, classes: int) -> float:
        return max((classes - 1) / classes**2, 1e-3)

    def rightness(self, logits: Floats, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        return (logits.argmax(axis=1) == targets).astype(np.float64)

    def losses(self, logits: Floats, targets: NDArray[np.int64]) -> NDArray[np.float64]:
        log_p = log_softmax(logits.astype(np.float64))
        return -log_p[np.arange(len(targets)), targets]

    def answers(
        self, probabilities: NDArray[np.float64], calibration: Calibration
    ) -> NDArray[np.bool_]:
        return np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)]

    def differ(
        self,
        ours: NDArray[np.float64],
        theirs: NDArray[np.float64],
        calibration: Calibration,
        tie: float,
    ) -> NDArray[np.bool_]:
        lead = ours.max(axis=1) - ours[np.arange(len(ours)), theirs.argmax(axis=1)]
        return lead > tie

    def calibrate(
        self, logits: Floats, targets: NDArray[np.int64], *, keep: float = 0.98
    ) -> Calibration:
        """The temperature minimizes the log loss; the threshold is the largest that leaves `keep`
        of the right answers standing, see `choose_unknown_threshold`. Without pictures, or with
        too few to tell, nothing is changed or called unknown."""
        temperature = fit_temperature(logits, targets)
        probabilities = softmax(logits, temperature)
        correct = probabilities.argmax(axis=1) == targets
        threshold = choose_unknown_threshold(probabilities.max(axis=1), correct, keep=keep)
        return Calibration(temperature, threshold)

    def prediction(
        self,
        source: str,
        logits: Floats,
        info: ModelInfo,
        *,
        top: int,
        below: float | None = None,
    ) -> Prediction:
        given = info.calibration
        likeliest = ranked(info.classes, softmax(logits, given.temperature), top)
        label, confidence = likeliest[0]
        unknown = confidence < (given.unknown_below if below is None else below)
        found = () if unknown else (label,)
        return Prediction(
            source, None if unknown else label, confidence, unknown, likeliest, labels=found
        )


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of probabilities, row by row: (N, classes) -> (N, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
