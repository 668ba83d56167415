"""Which points of the pyramid are to find which box: those that already find it best."""

from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 10  # points per box
SCORE_POWER, OVERLAP_POWER = 0.5, 6.0
TINY = 1e-9


@dataclass(frozen=True)
class Assigned:
    """owner: (N, P), the row of the box that a point is to find, or -1.

    wanted: (N, P), the score that it should give that box's class, in [0, 1].
    """

    owner: Tensor
    wanted: Tensor


def box_overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (…, 4) and (…, 4), which broadcast."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    both = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(c[..., 2:] - c[..., :2]).clamp(min=0).prod(dim=-1) for c in (a, b)]
    return both / (areas[0] + areas[1] - both).clamp(min=TINY)


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, places: Tensor, targets: Tensor) -> Assigned:
    """Task-aligned assignment: Feng et al., arXiv:2108.07755.

    scores: (N, P, classes), in [0, 1].   boxes: (N, P, 4).   places: (P, 2).
    targets: (N, M, 6) as `as_table` has them. A point may only find a box that it lies in; boxes
    too small to hold one get the nearest point. Each box has up to MOST points, each point one box.
    """
    there = targets[..., 0] >= 0  # (N, M)
    true = targets[..., 1:5]
    overlap = box_overlaps(true[:, :, None], boxes[:, None])  # (N, M, P)
    label = targets[..., 0].clamp(min=0).long()
    score = scores.transpose(1, 2).gather(1, label[..., None].expand(-1, -1, scores.shape[1]))
    metric = score**SCORE_POWER * overlap**OVERLAP_POWER + TINY * overlap
    metric = metric * _may_find(places, true) * there[..., None]
    best, at = metric.topk(min(MOST, metric.shape[2]), dim=2)
    chosen = torch.zeros_like(metric, dtype=torch.bool).scatter_(2, at, best > 0)
    contested = torch.where(chosen, overlap, overlap.new_tensor(-1.0))
    highest, owner = contested.max(dim=1)  # (N, P): of several boxes, the one it overlaps most
    found = highest >= 0
    owner = torch.where(found, owner, -1)
    mine = torch.arange(metric.shape[1], device=owner.device)[None, :, None] == owner[:, None]
    metric, overlap = metric * mine, overlap * mine
    scale = overlap.amax(dim=2, keepdim=True) / metric.amax(dim=2, keepdim=True).clamp(min=TINY**2)
    wanted = (metric * scale).amax(dim=1)
    return Assigned(owner, wanted)


def _may_find(places: Tensor, true: Tensor) -> Tensor:
    """(N, M, P): whether a point lies in a box, or is the nearest to the middle of one without."""
    low = places - true[:, :, None, :2]
    high = true[:, :, None, 2:] - places
    inside = torch.cat((low, high), dim=-1).amin(dim=-1) > 0
    middle = (true[..., :2] + true[..., 2:]) / 2
    far = (places - middle[:, :, None]).square().sum(dim=-1)
    nearest = far <= far.amin(dim=-1, keepdim=True)
    return inside | (nearest & ~inside.any(dim=-1, keepdim=True))
