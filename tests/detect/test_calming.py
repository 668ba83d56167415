"""Mosaics end before the training does, and come back in the same epochs of a resumed one."""

from types import SimpleNamespace

import numpy as np
import torch
from annotated import shapes

from darter.dataset import BoxViews, find_samples, scan
from darter.detect import (
    BoxExamples,
    DetectorTraining,
    OneStage,
    make_preprocess,
    settle,
)
from darter.detect.calming import CALM, CalmAtLast
from darter.train import Plan, Recipe
from darter.transfer import zoo

SIDES = (64, 96)


class Batches:
    def __init__(self, name, waited):
        self.name, self.waited = name, waited

    def epoch(self, epoch, start_batch=0):
        yield self.name, epoch, start_batch


def test_the_last_epochs_of_the_plan_are_calm():
    plan = SimpleNamespace(epochs=20)
    batches = CalmAtLast(Batches("lively", 1.0), Batches("calm", 0.5), lambda: plan.epochs)
    names = [next(batches.epoch(number))[0] for number in range(20)]
    assert names == ["lively"] * 17 + ["calm"] * 3 and CALM * 20 == 17
    assert list(batches.epoch(18, 4)) == [("calm", 18, 4)] and batches.waited == 1.5
    plan.epochs = 40  # a longer plan
    assert next(batches.epoch(18))[0] == "lively"


def test_a_detector_trains_on_mosaics_first(tmp_path):
    audit = scan(find_samples(shapes(tmp_path, 8)))
    known = BoxExamples.of(audit.pictures, audit.classes)
    backbone = zoo.load()
    preprocess = make_preprocess(backbone, SIDES)
    recipe = Recipe(precision="float32", epochs=10, batch_size=4, threads=1)
    strategy, recipe = settle(recipe, OneStage)
    views = BoxViews.from_dict({"flip": {}}, preprocess, 1.0)
    training = DetectorTraining(
        OneStage(backbone, 2, SIDES), strategy, recipe, known, known, views, preprocess,
        torch.device("cpu"), None,
    )  # fmt: skip
    loop = training.loop(Plan(10, 20, 20, 2, "float32", "none", 1e-3))
    counts = [
        max(int((batch.targets[..., 0] >= 0).sum(axis=1).max()) for batch in loop.train.epoch(n))
        for n in (0, 9)
    ]
    most = max(len(picture.sample.target.boxes) for picture in audit.pictures)
    assert counts[1] <= most < counts[0]
    (mosaic,) = {np.asarray(b.targets).shape[1] for b in loop.train.epoch(0)}
    (calm,) = {np.asarray(b.targets).shape[1] for b in loop.train.epoch(9)}
    assert (mosaic, calm) == (4 * known.targets.shape[1], known.targets.shape[1])
