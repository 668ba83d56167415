"""Faster R-CNN's way from answers to boxes is torchvision's, with shapes that never change."""

import pytest
import torch
import torchvision

from darter.detect import FasterRCNN
from darter.detect.operations import kept_boxes
from darter.detect.twostage import BOX_WEIGHTS, TwoStageLoss, _as_list, decode
from darter.transfer import zoo

SIDES = (64, 96)


@pytest.fixture(scope="module")
def model():
    made = FasterRCNN(zoo.load(), 2, SIDES).eval()
    with torch.no_grad():
        for parameter in made.head.parameters():  # zeros would hide what they are multiplied with
            parameter += 0.02 * torch.randn(parameter.shape)
    return made


@torch.no_grad()
def test_proposals_and_regions_are_torchvisions(model):
    torch.manual_seed(0)
    x = torch.randn(2, 3, *SIDES)
    levels = model.head.pyramid(model.net, x)
    named = {str(k): level for k, level in enumerate(levels)}
    theirs, _ = model.head.rpn(_as_list(x, SIDES), named)
    ours, alive = model.proposals(levels)
    for boxes, there, wanted in zip(ours, alive, theirs, strict=True):
        assert torch.allclose(boxes[there > 0][: len(wanted)], wanted, atol=1e-3)
    wanted = model.head.roi.box_roi_pool(named, list(ours), [SIDES] * 2)
    assert torch.allclose(model._regions(levels, ours).flatten(), wanted.flatten(), atol=1e-5)


@torch.no_grad()
def test_boxes_are_decoded_as_torchvision_does():
    torch.manual_seed(1)
    low = torch.rand(50, 2) * 40
    boxes = torch.cat((low, low + torch.rand(50, 2) * 40 + 1), dim=1)
    deltas = torch.randn(50, 4) * 9
    coder = torchvision.models.detection._utils.BoxCoder(BOX_WEIGHTS)
    assert torch.allclose(decode(boxes, deltas, BOX_WEIGHTS), coder.decode_single(deltas, boxes))


def test_kept_boxes_are_those_of_torchvision():
    torch.manual_seed(2)
    low = torch.rand(3, 40, 2) * 40
    boxes = torch.cat((low, low + torch.rand(3, 40, 2) * 40 + 1), dim=2)
    scores = torch.rand(3, 40)
    scores[0, ::2] = 0  # not there
    mask = kept_boxes(boxes, scores, 0.5)
    for n in range(3):
        kept = torchvision.ops.nms(boxes[n], scores[n], 0.5)
        wanted = torch.zeros(40)
        wanted[kept] = 1
        assert torch.equal(mask[n], wanted * (scores[n] > 0))


@pytest.mark.parametrize("boxes", [
    (), ((0, 10, 10, 10.5, 30),), ((1, 0, 0, 96, 64),), ((0, 5, 5, 40, 40, 1),),
    ((0, 5, 5, 40, 40), (1, 5, 5, 40, 40)),
])  # fmt: skip
def test_the_loss_is_a_number_whatever_the_boxes(model, boxes):
    table = torch.full((2, 3, 6), -1.0)
    for row, box in zip(table[0], boxes, strict=False):
        row[:] = torch.tensor([*box, *[0] * (6 - len(box))])
    torch.manual_seed(0)
    levels = model.head.pyramid(model.net, torch.randn(2, 3, *SIDES))
    model.head.train()
    try:
        loss = TwoStageLoss(model.head, SIDES)
        value = loss(levels, table)
        value.backward()
    finally:
        model.head.eval()
    assert torch.isfinite(value) and 0 <= loss.rightness(levels, table) <= 2
    assert all(torch.isfinite(p.grad).all() for p in model.head.parameters() if p.grad is not None)


def test_what_lies_on_a_spare_box_is_no_background(model):
    """A region that finds it is held against nobody."""
    anchors = [model.get_buffer("anchors")]
    box = anchors[0][len(anchors[0]) // 2][None].clamp(0, 60)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    labels, _ = model.head.rpn.assign_targets_to_anchors(anchors, [{**empty, "spare": box}])
    over = torchvision.ops.box_iou(anchors[0], box)[:, 0] > 0.3
    assert over.any() and (labels[0][over] == -1).all() and (labels[0][~over] == 0).all()
