"""One label per picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.model.metrics import softmax
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


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of probabilities, row by row: (N, classes) -> (N, classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
