"""Any number of labels per picture, also none."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.model.tasks.task import Floats


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


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    grown = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, grown) / (1 + grown)
