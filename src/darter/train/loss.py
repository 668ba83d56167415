"""Soft targets: class balance, label smoothing, mixup and CutMix in one cross-entropy."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

RARE = 3.0  # "auto" balances classes once the largest has this many times the smallest's pictures


def settle_balance(class_balance: str, labels: NDArray[np.int64], classes: int) -> str:
    """Replace "auto" by "weights" or "none", from the counts of the training pictures."""
    if class_balance != "auto":
        return class_balance
    counts = np.bincount(labels, minlength=classes)
    return "weights" if counts.max() >= RARE * max(1, counts.min()) else "none"


def picture_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Weight of one picture of each class (classes,), so that all classes weigh the same.

    The mean over pictures is 1; a class without pictures has weight 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return np.divide(len(labels) / present, counts, out=np.zeros(classes), where=counts > 0)


@dataclass(frozen=True)
class Loss:
    """Sum over a batch of weighted cross-entropies against smoothed targets.

    class_weights: float32 (classes,) or None. smoothing: share spread over all classes.
    """

    classes: int
    smoothing: float = 0.0
    class_weights: Tensor | None = None

    def targets(self, labels: Tensor) -> Tensor:
        """One-hot targets (N, classes), which `mix` may blend."""
        return one_hot(labels, self.classes).float()

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - self.smoothing) + self.smoothing / self.classes
        losses = -(smooth * log_softmax(logits.float(), dim=1)).sum(dim=1)
        if self.class_weights is not None:
            losses = losses * (targets @ self.class_weights.to(losses.device))
        return losses.sum()


def mix(
    images: Tensor, targets: Tensor, *, mixup: float, cutmix: float, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Blend each picture with another of the batch, or paste a rectangle of it, and their targets.

    The share is drawn from Beta(alpha, alpha), alpha being `mixup` or `cutmix`; 0 changes nothing.
    Sources: Zhang et al., arXiv:1710.09412; Yun et al., arXiv:1905.04899.
    """
    alpha = mixup or cutmix
    if not alpha:
        return images, targets
    kept = float(random.beta(alpha, alpha))
    other = torch.from_numpy(random.permutation(len(images))).to(images.device)
    if mixup:
        images = images * kept + images[other] * (1 - kept)
    else:
        top, bottom, left, right = _rectangle(images.shape[2], images.shape[3], 1 - kept, random)
        images = images.clone()
        images[:, :, top:bottom, left:right] = images[other, :, top:bottom, left:right]
        kept = 1 - (bottom - top) * (right - left) / (images.shape[2] * images.shape[3])
    return images, targets * kept + targets[other] * (1 - kept)


def _rectangle(
    height: int, width: int, share: float, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """A rectangle of about `share` of the area around a random point, cut at the borders."""
    side = np.sqrt(share)
    y, x = int(random.integers(height)), int(random.integers(width))
    half_height, half_width = int(height * side) // 2, int(width * side) // 2
    return (
        max(0, y - half_height),
        min(height, y + half_height),
        max(0, x - half_width),
        min(width, x + half_width),
    )
