"""Soft targets and losses of each task: class balance, label smoothing."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, one_hot

from darter.errors import OptionError
from darter.model import Multilabel

MOST_WEIGHT = 20.0  # of a rare label against its absence
RARE = 3.0  # "auto" balances classes once the largest has this many times the smallest's pictures


def settle_balance(class_balance: str, targets: NDArray[Any], classes: int) -> str:
    """Replace "auto" by "weights" or "none", from the counts of the training pictures.

    OptionError for "sampling" of pictures with several labels: none is drawn alone.
    """
    if targets.ndim > 1:
        if class_balance == "sampling":
            raise OptionError(
                'recipe: class_balance = "sampling" needs one label per picture; for several, '
                'take "weights" or "none"'
            )
        return "none" if class_balance == "auto" else class_balance
    if class_balance != "auto":
        return class_balance
    counts = np.bincount(targets, minlength=classes)
    return "weights" if counts.max() >= RARE * max(1, counts.min()) else "none"


def picture_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Weight of one picture of each class (classes,), so that all classes weigh the same.

    The mean over pictures is 1; a class without pictures has weight 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return np.divide(len(labels) / present, counts, out=np.zeros(classes), where=counts > 0)


class Loss(Protocol):
    """Sum over a batch of the losses of its pictures, and what the batch's targets are.

    logits: what the model gives in training; of most models one tensor.
    """

    def targets(self, given: Tensor) -> Tensor:
        """Soft targets (N, classes), which `mix` may blend, of what the loader gives."""

    def __call__(self, logits: Any, targets: Tensor, /) -> Tensor: ...

    def rightness(self, logits: Any, targets: Tensor, /) -> float:
        """Sum over the batch of how right each answer is, from 0 to 1."""


@dataclass(frozen=True)
class CrossEntropy:
    """One label per picture: weighted cross-entropies against smoothed targets.

    class_weights: float32 (classes,) or None. smoothing: share spread over all classes.
    """

    classes: int
    smoothing: float = 0.0
    class_weights: Tensor | None = None

    def targets(self, given: Tensor) -> Tensor:
        return one_hot(given, self.classes).float()

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - self.smoothing) + self.smoothing / self.classes
        losses = -(smooth * log_softmax(logits.float(), dim=1)).sum(dim=1)
        if self.class_weights is not None:
            losses = losses * (targets @ self.class_weights.to(losses.device))
        return losses.sum()

    def rightness(self, logits: Tensor, targets: Tensor) -> float:
        return int((logits.argmax(1) == targets.argmax(1)).sum())


@dataclass(frozen=True)
class BinaryCrossEntropies:
    """Any number of labels per picture: one binary cross-entropy per class.

    smoothing: share of each target that is taken from 1 or 0 to a half.
    label_weights: float32 (classes,), of a picture that has the label, or None.
    """

    smoothing: float = 0.0
    label_weights: Tensor | None = None

    def targets(self, given: Tensor) -> Tensor:
        return given.float()

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - self.smoothing) + self.smoothing / 2
        weights = None if self.label_weights is None else self.label_weights.to(logits.device)
        return binary_cross_entropy_with_logits(
            logits.float(), smooth, pos_weight=weights, reduction="sum"
        )

    def rightness(self, logits: Tensor, targets: Tensor) -> float:
        found = logits.detach().float().cpu().numpy()
        return float(Multilabel().rightness(found, targets.round().cpu().numpy()).sum())


def make_loss(
    task: str, targets: NDArray[Any], classes: int, *, smoothing: float, balance: str
) -> Loss:
    """The loss of a task. balance: settled, "none", "weights" or "sampling"."""
    weights = None
    if task == "multilabel":
        if balance == "weights":
            share = targets.mean(axis=0).clip(1 / max(1, len(targets)), 1)
            weights = torch.from_numpy(((1 - share) / share).clip(1, MOST_WEIGHT)).float()
        return BinaryCrossEntropies(smoothing, weights)
    if balance == "weights":
        weights = torch.from_numpy(picture_weights(targets, classes)).float()
    return CrossEntropy(classes, smoothing, weights)
