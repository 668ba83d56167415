"""How sure a one-stage detector is of a box: as sure as the points that tell of it are together."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

WITNESSES = 4.0  # summed weights of the points of one thing: assign.MOST, which overlap by 0.8
TINY = 1e-6  # pixels² of a union; boxes of no area overlap nothing


def agreed(logits: Tensor, labels: Tensor, boxes: Tensor) -> Tensor:
    """Scores (N, K) of candidates: 1 - Π_j (1 - s_j)^(w_ij / WITNESSES), with s = sigmoid(logits).

    logits, labels: (N, K).   boxes: (N, K, 4), corners in pixels.
    w_ij is the overlap of two boxes of one class to the power of 4, and 0 of two classes. Several
    points are trained to find each thing, and what many of them tell is rarely wrong: a noisy-or
    of their scores (Pearl 1988) orders boxes better than that of the surest point. Neighbors vote
    for corners likewise in Gidaris & Komodakis, arXiv:1505.01749. It is a power of the overlap
    since a limit would let single bits decide who votes.
    """
    same = (labels[:, :, None] == labels[:, None, :]).to(boxes.dtype)
    weights = _overlaps(boxes)
    for _ in range(2):
        weights = weights * weights
    weights = weights * same
    doubt = torch.matmul(weights, softplus(logits)[..., None]).squeeze(2)  # -log(1 - s) is softplus
    return 1 - torch.exp(-doubt / WITNESSES)


def _overlaps(boxes: Tensor) -> Tensor:
    """(N, K, K), intersection over union. Axis by axis: a runtime sees plain tables."""
    x0, y0, x1, y1 = boxes.unbind(dim=2)
    width, height = (
        torch.minimum(high[:, :, None], high[:, None, :])
        - torch.maximum(low[:, :, None], low[:, None, :])
        for low, high in ((x0, x1), (y0, y1))
    )
    both = width.clamp(min=0) * height.clamp(min=0)
    area = (x1 - x0) * (y1 - y0)
    return both / (area[:, :, None] + area[:, None, :] - both).clamp(min=TINY)
