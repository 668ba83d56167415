"""A detector learns, resumes to the same bits, and its file finds what it finds."""

import numpy as np
import pytest
import torch
from annotated import shapes

from darter.dataset import BoxViews, find_samples, scan, split
from darter.detect import (
    DETECTORS,
    MOSAIC,
    BoxExamples,
    DetectorTraining,
    export,
    input_sides,
    make_preprocess,
    settle,
)
from darter.detect.assign import assign
from darter.detect.loss import DetectionLoss
from darter.detect.points import Points
from darter.model import ModelInfo, load_detector
from darter.train import Interrupted, Recipe, fit
from darter.transfer import zoo
from tests.stopping import StopsAfter

SIDES = (64, 96)


def run(pictures, kind, out, *, epochs=3, watch=None):
    audit = scan(find_samples(pictures))
    parts = split(audit, seed=0)
    train, val = ([audit.pictures[k] for k in part] for part in (parts.train, parts.val))
    asked = Recipe(precision="float32", epochs=epochs, batch_size=4, threads=1)
    strategy, recipe = settle(asked, kind)
    assert input_sides(recipe, train) == SIDES
    backbone = zoo.load()
    preprocess = make_preprocess(backbone, SIDES)
    model = kind(backbone, 2, SIDES)
    views = BoxViews.from_dict(recipe.augment, preprocess, MOSAIC)
    known = [BoxExamples.of(part, audit.classes) for part in (train, val)]
    fitted = fit(model, strategy, recipe, *known, out, augment=views, preprocess=preprocess,
                 kind=DetectorTraining, resume=True, progress=watch)  # fmt: skip
    return fitted, audit, [audit.pictures[k].sample.path for k in parts.test], preprocess


@pytest.mark.parametrize("kind", DETECTORS.values(), ids=DETECTORS)
def test_learns_resumes_to_the_same_bits_and_exports(tmp_path, kind):
    pictures = shapes(tmp_path / "shapes", 20)
    whole, audit, test, preprocess = run(pictures, kind, tmp_path / "whole")
    assert whole.history[-1]["loss"] < whole.history[1]["loss"]
    with pytest.raises(Interrupted):
        run(pictures, kind, tmp_path / "parts", watch=StopsAfter(4))
    again, *_ = run(pictures, kind, tmp_path / "parts")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    info = ModelInfo(audit.classes, preprocess, task="detect")
    parity = export(whole.model, tmp_path / "model.onnx", info, test)
    assert parity.passed and parity.missing == 0 and parity.boxes > 0
    detector = load_detector(tmp_path / "model.onnx")
    (answer,) = detector.detect([test[0]], least=0.0)
    assert answer.size == (96, 64) and answer.found


def targets(*boxes):
    table = torch.full((1, 4, 6), -1.0)
    for row, box in zip(table[0], boxes, strict=False):
        row[:] = torch.tensor([*box, *[0] * (6 - len(box))], dtype=torch.float32)
    return table


@pytest.mark.parametrize("boxes", [
    (), ((0, 10, 10, 10.5, 30),), ((1, 0, 0, 96, 64),), ((0, 95, 63, 96, 64),),
    ((0, 5, 5, 40, 40), (1, 5, 5, 40, 40)), ((0, 5, 5, 40, 40, 1),),
])  # fmt: skip
def test_the_loss_is_a_number_whatever_the_boxes(boxes):
    torch.manual_seed(0)
    points = Points.of(SIDES)
    raw = torch.randn(1, len(points.places), 6)
    raw[..., 2:] = raw[..., 2:].abs() * 3
    raw.requires_grad_()
    loss = DetectionLoss(2, SIDES)(raw, targets(*boxes))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(raw.grad).all()
    if not boxes:
        assert float(raw.grad[..., 2:].abs().sum()) == 0


def test_every_box_gets_a_point_and_every_point_one_box():
    random = np.random.default_rng(0)
    points = Points.of(SIDES)
    for _ in range(20):
        corner = random.uniform(0, (90, 58), (4, 2))
        side = random.uniform(0.5, 60, (4, 2))
        boxes = np.concatenate((corner, np.minimum(corner + side, (96, 64))), axis=1)
        table = targets(*[(k % 2, *box) for k, box in enumerate(boxes)])
        scores = torch.rand(1, len(points.places), 2)
        found = points.boxes(torch.rand(1, len(points.places), 4) * 3)
        assigned = assign(scores, found, points.places, table)
        owner = assigned.owner[0]
        assert set(owner.tolist()) - {-1} <= {0, 1, 2, 3}
        assert float(assigned.wanted.max()) <= 1 + 1e-6
        assert (assigned.wanted[0][owner < 0] == 0).all()


def test_pictures_and_boxes_of_a_batch_agree(tmp_path):
    """In mosaics, too, bright discs lie under the boxes that say so."""
    from darter.dataset import BoxLoader

    audit = scan(find_samples(shapes(tmp_path, 8)))
    known = BoxExamples.of(audit.pictures, ("disc", "square"))
    preprocess = make_preprocess(zoo.load(), SIDES)
    views = BoxViews.from_dict({"flip": {}, "random_frame": {"scale": (0.9, 1.4)}}, preprocess, 0.5)
    loader = BoxLoader(known.pictures, known.targets, known.sizes, views, 8, seed=3)
    batch = next(loader.epoch(0))
    images = batch.images * np.array(preprocess.std)[:, None, None]
    images = images + np.array(preprocess.mean)[:, None, None]
    checked = 0
    for image, rows in zip(images, batch.targets, strict=True):
        for label, x0, y0, x1, y1, _ in rows[rows[:, 0] >= 0]:
            if min(x1 - x0, y1 - y0) < 8 or min(x0, y0, 96 - x1, 64 - y1) < 2:
                continue
            middle = image[:, int((y0 + y1) / 2), int((x0 + x1) / 2)].mean()
            assert (middle > 0.6) if label == 0 else (middle < 0.45), (label, middle)
            checked += 1
    assert checked > 5
