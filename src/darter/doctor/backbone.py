"""The training step of a pretrained network: the very one that `darter train` takes."""

import time

import numpy as np
import torch

from darter.dataset import Batch
from darter.doctor.job import Lighter, Model
from darter.machine import available_cpus
from darter.picture import Augment, ValueRange
from darter.train import (
    CrossEntropy,
    Recipe,
    Step,
    candidate_precisions,
    choose_device,
    make_augment,
    make_preprocess,
    move,
    settle_recipe,
    settle_strategy,
)
from darter.transfer import STRATEGIES, Classifier, prepare, zoo

STRATEGY = "fine-tune-all"  # where the recipe leaves it open: what costs most
_SHARE = 0.7  # of the size, where a smaller one is advised
_CLEARLY = 1.1  # times as fast, from which another precision is advised
_MANY_STEPS = 10_000  # the rate stays small: nothing is to be learned here


class BackboneModel:
    """Forward, backward and update as the recipe says; precision "auto" is the faster one here.

    recipe: "auto" entries are what a training would begin with.   value_range: of the pictures, as
    for `Preprocess`.
    """

    def __init__(self, recipe: Recipe, classes: int, value_range: ValueRange | None = None) -> None:
        torch.set_num_threads(available_cpus())
        name = STRATEGY if recipe.strategy == "auto" else recipe.strategy
        strategy = settle_strategy(STRATEGIES[name], recipe)
        self.recipe, self.classes = settle_recipe(recipe, strategy), classes
        self.device = choose_device(recipe.device)
        backbone = zoo.load(recipe.backbone, recipe.weights or None)
        self.fixed_size = backbone.fixed_size
        self.preprocess = make_preprocess(self.recipe, backbone, value_range)
        self.size = self.preprocess.side
        model = Classifier(backbone, classes, dropout=strategy.dropout)
        move(model, self.device, self.recipe.channels_last)
        prepare(model, strategy)
        loss = CrossEntropy(classes, self.recipe.label_smoothing)
        rate = strategy.default_learning_rate
        self._steps = {
            precision: Step(
                model,
                strategy,
                self.recipe,
                loss,
                self.device,
                precision=precision,
                learning_rate=rate,
            )
            for precision in self._candidates()
        }
        self.seconds = {precision: self._time(precision) for precision in self._steps}
        self.fastest = min(self.seconds, key=lambda p: self.seconds[p])
        self.precision = self.fastest if recipe.precision == "auto" else recipe.precision

    @property
    def batch_size(self) -> int:
        return int(self.recipe.batch_size)

    @property
    def augment(self) -> Augment:
        """What training pictures go through."""
        return make_augment(self.recipe, self.preprocess)

    def step(self, batch: Batch) -> object:
        return self._steps[self.precision]([batch], 1, _MANY_STEPS)

    def lighter(self) -> tuple[Lighter, ...]:
        return tuple(way for way in (self._other_precision(), self._smaller()) if way is not None)

    def _candidates(self) -> list[str]:
        """What to time: the recipe's precision, and what could be used in its place."""
        asked = self.recipe.precision
        if self.recipe.weights_in != "float32":
            return [asked]
        others = candidate_precisions(self.device, "auto")
        return list(others) if asked == "auto" else [*dict.fromkeys((*others, asked))]

    def _other_precision(self) -> Lighter | None:
        speedup = self.seconds[self.precision] / self.seconds[self.fastest]
        if speedup < _CLEARLY:
            return None
        return Lighter(
            f'train in {self.fastest} (precision = "{self.fastest}" in the recipe)',
            speedup,
            lambda: self._changed(self.size, self.fastest),
            self.size,
        )

    def _smaller(self) -> Lighter | None:
        size = round(self.size * _SHARE / 32) * 32
        if self.fixed_size:
            return None
        return Lighter(
            f"train at a smaller size (--size {size}), or train fewer layers "
            "(--strategy fine-tune-last)",
            (self.size / size) ** 2,
            lambda: self._changed(size, self.precision),
            size,
        )

    def _changed(self, size: int, precision: str) -> Model:
        recipe = self.recipe.replace(size=size, precision=precision)
        return BackboneModel(recipe, self.classes, self.preprocess.value_range)

    def _time(self, precision: str) -> float:
        """Seconds of a step: the better of two, after one to warm up."""
        shape = (self.batch_size, 3, self.size, self.size)
        labels = np.zeros(self.batch_size, np.int64)
        batch = Batch(np.zeros(shape, np.float32), labels, labels)
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            self._steps[precision]([batch], 1, _MANY_STEPS)
            seconds.append(time.perf_counter() - began)
        return min(seconds[1:])
