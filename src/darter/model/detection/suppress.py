"""Of boxes that lie on each other, the surest stays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.6  # intersection over union from which two boxes of a class are one thing


def suppress(
    boxes: NDArray,
    scores: NDArray,
    labels: NDArray,
    *,
    overlap: float | Sequence[float] = OVERLAP,
    most: int = 300,
) -> NDArray[np.int64]:
    """Indices of the boxes that stay, surest first (greedy non-maximum suppression, per class).

    boxes: (N, 4).   scores, labels: (N,).   overlap: of all classes, or of each.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, labels = boxes[order].astype(np.float64), labels[order]
    each = np.asarray(overlap, np.float64)
    limits = each[labels.astype(int)] if each.ndim else np.full(len(order), each)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for k in range(len(order)):
        if not alive[k]:
            continue
        kept.append(k)
        if len(kept) == most:
            break
        low = np.maximum(boxes[k, :2], boxes[k + 1 :, :2])
        high = np.minimum(boxes[k, 2:], boxes[k + 1 :, 2:])
        both = np.prod(np.clip(high - low, 0, None), axis=1)
        union = areas[k] + areas[k + 1 :] - both
        doubles = (both > limits[k] * union) & (labels[k + 1 :] == labels[k])
        alive[k + 1 :] &= ~doubles
    return order[kept]
