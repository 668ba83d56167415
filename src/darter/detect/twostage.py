"""Faster R-CNN: regions that may hold a thing, then what is in each of them.

Ren et al., arXiv:1506.01497, on a feature pyramid (Lin et al., arXiv:1612.03144). Heads, anchors,
sampling and losses are torchvision's; this file has the way from their answers to boxes once more,
with shapes that do not depend on the picture, so that it is one ONNX file.
"""

import math

import torch
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import AnchorGenerator, RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign, box_iou

from darter.detect.detector_net import DetectorHead, DetectorNet
from darter.detect.operations import kept_boxes, regions
from darter.detect.points import STRIDES
from darter.detect.pyramid import Pyramid
from darter.transfer import Backbone, Strategy

WIDTH, HIDDEN = 96, 256
SHAPES = (0.5, 1.0, 2.0)  # height to width of anchors
PROPOSED, LOOKED_AT = 250, 150  # proposals of each level, and those of all that are looked into
ALIKE = 0.7  # overlap from which two proposals are one
CANDIDATES = 300  # boxes of a picture that are looked at for doubles
BINS, SAMPLES = 7, 2
CANONICAL = 112  # pixels of a box from which it is looked at on the second level
LEAST_SIDE = 1e-3  # pixels of a box that may be looked into
LARGEST_STEP = math.log(1000 / 16)  # of the logarithm of a side, as torchvision's
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
SPARE_OVERLAP = 0.3  # with a spare box, from which a region is no background


class Proposals(RegionProposalNetwork):
    """torchvision's, but what overlaps a spare box is held against nobody."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            if len(target["spare"]):
                over = box_iou(anchor, target["spare"]).amax(dim=1) > SPARE_OVERLAP
                label[over & (label == 0)] = -1
        return labels, boxes


class TwoStageHead(DetectorHead):
    """The pyramid, and what torchvision proposes and classifies regions with."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(backbone, WIDTH)
        self.dropout = nn.Dropout(0.0)
        anchors = AnchorGenerator(
            tuple((4 * stride, 6 * stride) for stride in STRIDES), (SHAPES,) * len(STRIDES)
        )
        few, many = ({"training": count, "testing": count} for count in (LOOKED_AT, PROPOSED))
        self.rpn = Proposals(
            anchors,
            RPNHead(WIDTH, anchors.num_anchors_per_location()[0]),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_top_n=many,
            post_nms_top_n=few,
            nms_thresh=ALIKE,
        )
        pool = MultiScaleRoIAlign(
            [str(k) for k in range(len(STRIDES))],
            BINS,
            SAMPLES,
            canonical_scale=CANONICAL,
            canonical_level=4,
        )
        self.roi = RoIHeads(
            pool,
            TwoMLPHead(WIDTH * BINS**2, HIDDEN),
            FastRCNNPredictor(HIDDEN, classes + 1),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=128,
            positive_fraction=0.25,
            bbox_reg_weights=BOX_WEIGHTS,
            score_thresh=0.0,
            nms_thresh=0.5,
            detections_per_img=CANDIDATES,
        )


class FasterRCNN(DetectorNet):
    """In training: the levels of the pyramid, on which `TwoStageLoss` runs the heads."""

    strategy = Strategy(
        "faster-rcnn",
        "Faster R-CNN on the pretrained network's feature pyramid",
        cost=5,
        trains="all",
        start="random",
        learning_rates=(1e-4, 3e-4, 6e-4),
        head_multiplier=2.0,
        layer_decay=0.85,
        batch_size=8,
        epochs=40,
    )
    head: TwoStageHead
    compiles = False  # what it gives in training is more than one tensor
    told = "regions right"

    def __init__(
        self, backbone: Backbone, classes: int, sides: tuple[int, int], *, seed: int = 0
    ) -> None:
        super().__init__(backbone, classes, sides, seed)
        self.head = TwoStageHead(backbone, classes)
        self.register_buffer("anchors", self._anchors(), persistent=False)

    def _anchors(self) -> Tensor:
        """(P, 4), of all levels, in the order in which the head's answers are flattened."""
        levels = [
            torch.zeros(1, 1, *(-(-side // stride) for side in self.sides)) for stride in STRIDES
        ]
        return self.head.rpn.anchor_generator(_as_list(torch.zeros(1), self.sides), levels)[0]

    def loss(self) -> "TwoStageLoss":
        return TwoStageLoss(self.head, self.sides)

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        levels = self.head.pyramid(self.net, x)
        return levels if self.training_head else self.candidates(levels)

    def candidates(self, levels: list[Tensor]) -> Tensor:
        boxes, alive = self.proposals(levels)
        roi = self.head.roi
        # torchvision's layers on the last axis, whichever axes come before it.
        seen = torch.relu(roi.box_head.fc6(self._regions(levels, boxes)))
        seen = torch.relu(roi.box_head.fc7(seen))
        logits, deltas = roi.box_predictor.cls_score(seen), roi.box_predictor.bbox_pred(seen)
        scores = logits.softmax(dim=2)[..., 1:] * alive[..., None]  # (N, R, classes)
        deltas = deltas.unflatten(2, (self.classes + 1, 4))[:, :, 1:]
        found = self.clipped(decode(boxes[:, :, None], deltas, BOX_WEIGHTS))
        labels = torch.arange(self.classes, dtype=scores.dtype, device=scores.device)
        parts = scores[..., None], (scores * 0 + labels)[..., None], found
        rows = torch.cat(parts, dim=3).flatten(1, 2)
        count = min(CANDIDATES, rows.shape[1])
        place = rows[..., 0].topk(count, dim=1)[1]
        return rows.gather(1, place[..., None].expand(-1, -1, 6))

    def proposals(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (N, R, 4) that may hold a thing, and 1 for each that is one, (N, R): where there
        are fewer, the others are doubles."""
        answers = self.head.rpn.head(levels)
        boxes, scores, begin = [], [], 0
        for objectness, deltas in zip(*answers, strict=True):
            likely = objectness.permute(0, 2, 3, 1).flatten(1)
            moves = deltas.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)
            end = begin + likely.shape[1]
            anchors = self.get_buffer("anchors")[begin:end]
            best, place = likely.topk(min(PROPOSED, likely.shape[1]), dim=1)
            moved = self.clipped(decode(anchors, moves, (1.0, 1.0, 1.0, 1.0)))
            boxes.append(moved.gather(1, place[..., None].expand(-1, -1, 4)))
            scores.append(best.sigmoid())
            begin = end
        every, score = torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
        sides = (every[..., 2:] - every[..., :2]).amin(dim=2)  # 0 where all of it was beside
        score = score * (sides >= LEAST_SIDE).to(score.dtype)
        # Levels are shifted beyond each other's reach: doubles are those of one level.
        reach = 2.0 * max(self.sides)
        shift = torch.cat([torch.full((b.shape[1],), k * reach) for k, b in enumerate(boxes)])
        kept = kept_boxes(every + shift.to(every)[:, None], score, ALIKE)
        best, place = (score * kept).topk(min(LOOKED_AT, score.shape[1]), dim=1)
        alive = (best > 0).to(best.dtype)
        return every.gather(1, place[..., None].expand(-1, -1, 4)), alive

    def _regions(self, levels: list[Tensor], boxes: Tensor) -> Tensor:
        """(N, R, WIDTH * BINS²) from the level that a box's size tells, as MultiScaleRoIAlign."""
        sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
        area = (sides[..., 0] * sides[..., 1])[..., None]
        seen = regions(levels[-1], boxes, BINS, 1 / STRIDES[-1], SAMPLES)
        for number in reversed(range(len(STRIDES) - 1)):
            smaller = area < (CANONICAL * 2**number) ** 2 * (1 - 1e-5)
            finer = regions(levels[number], boxes, BINS, 1 / STRIDES[number], SAMPLES)
            seen = torch.where(smaller, finer, seen)
        return seen


def decode(boxes: Tensor, deltas: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Boxes (…, 4) moved by deltas (…, 4), which broadcast: torchvision's BoxCoder.decode."""
    low, high = boxes[..., :2], boxes[..., 2:]
    sides = high - low
    middle = low + sides / 2 + deltas[..., :2] / weights[0] * sides
    grown = (deltas[..., 2:] / weights[2]).clamp(max=LARGEST_STEP).exp() * sides
    return torch.cat((middle - grown / 2, middle + grown / 2), dim=-1)


class TwoStageLoss:
    """torchvision's four losses of a batch: whether a region holds a thing, its box, what the thing
    is, and the thing's box; the mean over pictures of each, times their number."""

    def __init__(self, head: TwoStageHead, sides: tuple[int, int]) -> None:
        self.head, self.sides = head, sides
        self._right = 0.0  # share of the regions in the last batch whose class is right

    def targets(self, given: Tensor) -> Tensor:
        return given

    def __call__(self, levels: list[Tensor], targets: Tensor) -> Tensor:
        features = {str(k): level.float() for k, level in enumerate(levels)}
        images = _as_list(targets, self.sides)
        truths = [_truth(rows) for rows in targets]
        found, losses = self.head.rpn(images, features, truths)
        found = [_without_spare(boxes, truth) for boxes, truth in zip(found, truths, strict=True)]
        roi = self.head.roi
        found, _, labels, moves = roi.select_training_samples(found, truths)
        seen = roi.box_head(roi.box_roi_pool(features, found, images.image_sizes))
        logits, deltas = roi.box_predictor(seen)
        parts = [*losses.values(), *fastrcnn_loss(logits, deltas, labels, moves)]
        self._right = float((logits.argmax(dim=1) == torch.cat(labels)).float().mean())
        return torch.stack(parts).sum() * len(targets)

    def rightness(self, levels: list[Tensor], targets: Tensor) -> float:
        """Pictures times the share of regions whose class is right."""
        return self._right * len(targets)


def _as_list(pictures: Tensor, sides: tuple[int, int]) -> ImageList:
    """As many pictures, as torchvision wants to know them: it reads no more than their sizes."""
    like = pictures.new_zeros(1, device="cpu").expand(len(pictures), 3, *sides)
    return ImageList(like, [sides] * len(pictures))


def _truth(rows: Tensor) -> dict[str, Tensor]:
    """What torchvision wants to know of a picture, from a table of class, corners, spare."""
    sides = rows[:, 3:5] - rows[:, 1:3]
    there = (rows[:, 0] >= 0) & (sides >= 1).all(dim=1)
    true, spare = rows[there & (rows[:, 5] <= 0)], rows[there & (rows[:, 5] > 0)]
    return {"boxes": true[:, 1:5], "labels": true[:, 0].long() + 1, "spare": spare[:, 1:5]}


def _without_spare(boxes: Tensor, truth: dict[str, Tensor]) -> Tensor:
    """The proposals that do not lie on a spare box."""
    if not len(truth["spare"]):
        return boxes
    return boxes[box_iou(boxes, truth["spare"]).amax(dim=1) <= SPARE_OVERLAP]
