"""The loss of a one-stage detector: scores that tell how well the box fits, and boxes that do."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import generalized_box_iou_loss

from darter.detect.assign import Assigned, assign, box_overlaps
from darter.detect.points import Points

BOX_WEIGHT = 2.0
NEGATIVE_POWER, NEGATIVE_WEIGHT = 2.0, 0.75  # of the score where nothing is, as in varifocal loss


class DetectionLoss:
    """Sum over a batch: varifocal loss of the scores and GIoU loss of the boxes.

    Sources: Zhang et al., arXiv:2008.13367 (scores as overlaps); Rezatofighi et al.,
    arXiv:1902.09630 (GIoU). Spare boxes are neither to be found nor held against anyone.
    """

    def __init__(self, classes: int, sides: tuple[int, int]) -> None:
        self.classes = classes
        self.points = Points.of(sides)
        self._fit = 0.0  # mean overlap of the found boxes in the last batch

    def targets(self, given: Tensor) -> Tensor:
        return given

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        raw = logits.float()
        scores, reach = raw[..., : self.classes], raw[..., self.classes :]
        places = self.points.places.to(raw.device)
        points = Points(places, self.points.strides.to(raw.device))
        boxes = points.boxes(reach)
        found = assign(scores.detach().sigmoid(), boxes.detach(), places, targets)
        wanted, spare = self._wanted(found, targets)
        score_loss = _varifocal(scores, wanted) * (~spare)[..., None]
        mine = (found.owner >= 0) & ~spare
        true = targets[..., 1:5].gather(1, found.owner.clamp(min=0)[..., None].expand(-1, -1, 4))
        weight = found.wanted[mine]
        box_loss = generalized_box_iou_loss(boxes[mine], true[mine], reduction="none")
        self._fit = (
            float(box_overlaps(boxes[mine].detach(), true[mine]).mean()) if len(weight) else 0.0
        )
        total = weight.sum().clamp(min=1.0)  # the mean is over what is to be found, in this batch
        mean = (score_loss.sum() + BOX_WEIGHT * (box_loss * weight).sum()) / total
        return mean * len(raw)

    def _wanted(self, found: Assigned, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Scores to give (N, P, classes), and whether a point finds a spare box (N, P)."""
        owner = found.owner.clamp(min=0)
        label = targets[..., 0].gather(1, owner).clamp(min=0).long()
        wanted = torch.zeros((*owner.shape, self.classes), device=owner.device)
        wanted.scatter_(2, label[..., None], (found.wanted * (found.owner >= 0))[..., None])
        spare = (targets[..., 5].gather(1, owner) > 0) & (found.owner >= 0)
        return wanted, spare

    def rightness(self, logits: Tensor, targets: Tensor) -> float:
        """Pictures times the mean overlap of boxes with what they are to find."""
        return self._fit * len(logits)


def _varifocal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropies with a score for a target; where nothing is, weighed by the mistake."""
    scores = logits.detach().sigmoid()
    weight = torch.where(wanted > 0, wanted, NEGATIVE_WEIGHT * scores**NEGATIVE_POWER)
    return binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weight
