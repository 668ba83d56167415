"""Any number of labels per picture, also none."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.model.confidence import TEMPERATURES
from darter.model.info import Calibration, ModelInfo
from darter.model.prediction import Prediction, ranked
from darter.model.tasks.task import Floats

HALF = 0.5


class Multilabel:
    """Targets are float32 (N, classes), 1 for each label; every logit meets a sigmoid of its own.

    A picture's answer is as right as its labels rank before all others: the mean, over its labels,
    of the share of true ones among those ranked no lower (label ranking average precision, in
    Tsoumakas et al., "Mining multi-label data", 2010). It is 1 for a picture without labels.
    """

    name = "multilabel"
    measure = "average precision per picture"

    def targets(
        self, labels: Sequence[Sequence[str]], classes: Sequence[str]
    ) -> NDArray[np.float32]:
        number = {label: k for k, label in enumerate(classes)}
        targets = np.zeros((len(labels), len(classes)), np.float32)
        for row, names in zip(targets, labels, strict=True):
            row[[number[name] for name in names]] = 1
        return targets

    def strata(self, targets: NDArray[np.float32]) -> NDArray[np.int64]:
        """The rarest label of each picture, so that rare labels get their share in every part;
        the number of classes where a picture has none."""
        true = targets > 0
        rarest = np.where(true, true.sum(axis=0), np.inf).argmin(axis=1)
        return np.where(true.any(axis=1), rarest, targets.shape[1])

    def dense(self, targets: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
        return targets

    def probabilities(self, logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
        return sigmoid(np.asarray(logits, np.float64) / temperature)

    def loss_and_slope(self, logits: Floats, dense: Floats) -> tuple[Floats, Floats]:
        losses = np.logaddexp(0, logits).astype(logits.dtype) - dense * logits
        return losses.sum(axis=1), sigmoid(logits) - dense

    def curvature(self, classes: int) -> float:
        return 0.25

    def rightness(self, logits: Floats, targets: NDArray[np.float32]) -> NDArray[np.float64]:
        true = targets > 0
        no_lower = logits[:, None, :] >= logits[:, :, None]  # (N, of each label, counted label)
        share = (no_lower & true[:, None, :]).sum(axis=2) / no_lower.sum(axis=2)
        count = true.sum(axis=1)
        mean = np.where(true, share, 0).sum(axis=1) / np.maximum(count, 1)
        return np.where(count, mean, 1.0)

    def losses(self, logits: Floats, targets: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.loss_and_slope(logits.astype(np.float64), targets)[0]

    def answers(
        self, probabilities: NDArray[np.float64], calibration: Calibration
    ) -> NDArray[np.bool_]:
        return probabilities >= np.array(calibration.thresholds or HALF)

    def differ(
        self,
        ours: NDArray[np.float64],
        theirs: NDArray[np.float64],
        calibration: Calibration,
        tie: float,
    ) -> NDArray[np.bool_]:
        clear = np.abs(ours - np.array(calibration.thresholds or HALF)) > tie
        other = self.answers(ours, calibration) != self.answers(theirs, calibration)
        return (clear & other).any(axis=1)

    def calibrate(
        self, logits: Floats, targets: NDArray[np.float32], *, keep: float = 0.98
    ) -> Calibration:
        """One temperature, of the least log loss; for each label the threshold of the best F1.

        A label that no held-out picture has keeps a half.
        """
        temperature = fit_sigmoid_temperature(logits, targets)
        probabilities = self.probabilities(logits, temperature)
        columns = zip(probabilities.T, targets.T > 0, strict=True)
        return Calibration(temperature, 0.0, tuple(best_f1_threshold(*pair) for pair in columns))

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
        if below is not None:
            given = replace(given, thresholds=(below,) * len(info.classes))
        probabilities = self.probabilities(logits[None], given.temperature)
        (has,) = self.answers(probabilities, given)
        order = np.argsort(-probabilities[0], kind="stable")
        found = tuple(info.classes[k] for k in order if has[k])
        likeliest = ranked(info.classes, probabilities[0], top)
        first = found[0] if found else None
        return Prediction(source, first, likeliest[0][1], False, likeliest, labels=found)


def best_f1_threshold(probabilities: NDArray[np.float64], true: NDArray[np.bool_]) -> float:
    """The probability from which giving a label has the best F1 on these pictures.

    Halfway between the last picture above and the first below it; a half without true pictures.
    """
    if not true.any():
        return HALF
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    hits = np.cumsum(true[order])
    f1 = 2 * hits / (np.arange(1, len(true) + 1) + true.sum())
    ends = np.append(ordered[:-1] > ordered[1:], True)  # a cut falls between different values
    best = int(np.where(ends, f1, -1).argmax())
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + below) / 2)


def fit_sigmoid_temperature(logits: Floats, targets: NDArray[np.float32]) -> float:
    """The temperature of the least binary log loss, by bisection of its slope in 1/temperature.

    Returns a value within TEMPERATURES; 1 without pictures. Targets are Platt's, as in
    `fit_temperature`.
    """
    if not len(targets):
        return 1.0
    logits = np.asarray(logits, np.float64)
    miss = 1 / (len(targets) + 2)
    wanted = np.mean(logits * (targets * (1 - 2 * miss) + miss))
    low, high = (np.log(1 / t) for t in reversed(TEMPERATURES))
    for _ in range(50):
        middle = (low + high) / 2
        if np.mean(sigmoid(logits * np.exp(middle)) * logits) < wanted:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    grown = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, grown) / (1 + grown)
