"""Pictures of a batch blended with each other: mixup and CutMix."""

import numpy as np
import torch
from torch import Tensor


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
