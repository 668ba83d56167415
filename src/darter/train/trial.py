"""Short trainings for the race between strategies, by the same code as the final training."""

import copy
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from darter.dataset import PictureCache
from darter.picture import Augment, Preprocess
from darter.train.device import candidate_precisions, choose_device, computing, move
from darter.train.examples import Examples
from darter.train.fit import fit
from darter.train.pictures import evaluation_loader
from darter.train.plan import Plan
from darter.train.recipe import Recipe
from darter.train.step import Diverged
from darter.train.validate import evaluate, score
from darter.transfer import Backbone, Classifier, Probe, Strategy, Trial, TrialCall, fit_probe

if TYPE_CHECKING:
    from darter.transfer import Features

NOBODY = Examples((), np.zeros(0, np.int64))


class Pace:
    """Told of a training's steps, so that their seconds are known apart from its beginning.

    pictures: in an epoch.
    """

    def __init__(self, pictures: int) -> None:
        self._pictures = pictures
        self._ends: list[float] = []

    def planned(self, plan: Plan, step: int) -> None:
        self._per_step = self._pictures / plan.steps_per_epoch

    def step(self, step: int, loss: float, accuracy: float, pictures_per_second: float) -> None:
        self._ends.append(time.monotonic())

    def epoch(self, record: dict[str, Any]) -> None: ...

    @property
    def seconds(self) -> float | None:
        """Per picture, from the end of the first step to that of the last."""
        steps = len(self._ends) - 1
        if steps < 1:
            return None
        return (self._ends[-1] - self._ends[0]) / (steps * self._per_step)


def start_model(
    backbone: Backbone, strategy: Strategy, classes: int, probe: Probe | None, seed: int
) -> Classifier:
    """A classifier where the strategy starts: the probe's head, or a random one without a probe.

    The backbone is copied. For a start at "random", give a backbone with random weights.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Classifier(copy.deepcopy(backbone), classes, layers=strategy.layers)
    if probe is not None:
        model.set_head(torch.from_numpy(probe.weight), torch.from_numpy(probe.bias))
    return model


class Trials:
    """The trial that `darter.transfer.choose` calls: a short training, scored on held-out pictures.

    backbone: (strategy, seed) -> the backbone to start from; it is not changed.
    look: strategy -> how it sees pictures in training, and when it is judged.
    features: of all examples, for the probes that heads start from.
    penalties: of these probes by the layers that they read, for one picture (see
        `Bench.penalties`); where there is none, every trial finds its own.

    The same call gives the same answer whatever was tried before, on any CPU of the same kind with
    as many threads. The precision is measured in the first trial and kept for all; see
    `precision`. A recipe that leaves open what computes gets PyTorch, whose steps are timed alike.
    """

    def __init__(
        self,
        backbone: Callable[[Strategy, int], Backbone],
        look: Callable[[Strategy], tuple[Augment, Preprocess]],
        features: "Features",
        examples: Examples,
        classes: int,
        recipe: Recipe,
        *,
        penalties: Mapping[str, float] | None = None,
        cache: PictureCache | None = None,
    ) -> None:
        self._backbone, self._look, self._features = backbone, look, features
        self._examples, self._classes, self._recipe = examples, classes, recipe
        if recipe.compute == "auto":
            self._recipe = recipe.replace(compute="pytorch")
        self._penalties = dict(penalties or {})
        self._cache = PictureCache() if cache is None else cache

    @property
    def precision(self) -> str:
        return self._recipe.precision

    def with_threads(self, threads: int | str) -> "Trials":
        """The same for another process, with so many threads where the recipe leaves it open."""
        own = copy.copy(self)
        if self._recipe.threads == "auto":
            own._recipe = self._recipe.replace(threads=threads)
        return own

    def __call__(self, call: TrialCall) -> Trial:
        """Train on some positions, score the others. A training that diverges is all wrong."""
        with (
            computing(choose_device(self._recipe.device), self._recipe.threads) as threads,
            threadpool_limits(threads),  # of the probe's linear algebra
        ):
            return self._run(call)

    def _run(self, call: TrialCall) -> Trial:
        started = time.monotonic()
        strategy, train, held_out = call.strategy, call.train, call.held_out
        recipe = self._recipe.replace(
            learning_rate=call.learning_rate, epochs=call.epochs, seed=call.seed, patience=0
        )
        model = start_model(
            self._backbone(strategy, call.seed),
            strategy,
            self._classes,
            self._probe(strategy, train),
            call.seed,
        )
        augment, preprocess = self._look(strategy)
        pace = Pace(len(train))
        try:
            fitted = fit(
                model,
                strategy,
                recipe,
                self._examples.subset(train),
                NOBODY,
                None,
                augment=augment,
                preprocess=preprocess,
                progress=pace,
                cache=self._cache,
            )
        except Diverged:
            wrong = np.zeros(len(held_out))
            return Trial(wrong, time.monotonic() - started, float("inf"))
        if fitted.plan is not None:
            self._recipe = self._recipe.replace(precision=fitted.plan.precision)
        logits = self._logits(model, self._examples.subset(held_out), preprocess)
        task, targets = self._examples.task, self._examples.targets[held_out]
        loss = score(task, logits, targets)[1]
        return Trial(
            task.rightness(logits, targets),
            time.monotonic() - started,
            loss,
            pace.seconds,
            fitted.plan.precision if fitted.plan else None,
        )

    def _probe(self, strategy: Strategy, train: NDArray[np.int64]) -> Probe | None:
        """The probe on the training positions, where the strategy starts from one."""
        if strategy.start != "probe":
            return None
        penalty = self._penalties.get(strategy.layers)
        return fit_probe(
            self._features.read(strategy.layers)[train],
            self._examples.targets[train],
            self._classes,
            task=self._examples.task,
            l2=None if penalty is None else penalty / len(train),
        )

    def _logits(
        self, model: Classifier, held_out: Examples, preprocess: Preprocess
    ) -> NDArray[np.float32]:
        device = choose_device(self._recipe.device)
        precision = candidate_precisions(device, self._recipe.precision)[0]
        move(model, device, self._recipe.channels_last)
        loader = evaluation_loader(held_out, preprocess, self._recipe, self._cache)
        return evaluate(model, loader, device, precision, self._recipe.channels_last)
