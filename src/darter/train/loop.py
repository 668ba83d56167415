"""The training loop: steps, epochs, validation, and the state that a checkpoint holds."""

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from darter.noise import copy_into, greedy_soup
from darter.train.noisy import refit_norms, train_mode
from darter.train.plan import Plan, replan
from darter.train.position import Position
from darter.train.recipe import Recipe
from darter.train.step import Lost, Outcome, Step
from darter.train.validate import evaluate
from darter.train.world import Batches
from darter.transfer import Strategy, TransferModel

LEAST_PATIENCE = 10  # epochs
Judge = Callable[[NDArray[np.float32]], tuple[float, float | None]]


class Watch(Protocol):
    """Told after each step and each epoch; may raise to leave the loop at a point that `state`
    can continue from."""

    def step(self, loop: "Loop", loss: float) -> None: ...
    def epoch(self, loop: "Loop") -> None: ...


class Loop:
    """Trains `model` on batches; `run` goes on from wherever `position` stands.

    val: validation batches in a fixed order, or None to train every planned epoch.
    judge: says of their logits (how right, loss).
    """

    def __init__(
        self,
        model: TransferModel,
        strategy: Strategy,
        recipe: Recipe,
        plan: Plan,
        step: Step,
        train: Batches,
        val: Batches | None,
        judge: Judge,
    ) -> None:
        self.model, self.strategy, self.recipe, self.plan = model, strategy, recipe, plan
        self.step, self.train, self.val, self.judge = step, train, val, judge
        self.position = Position()
        self.best = {name: value.clone() for name, value in step.learned.items()}
        self.ingredients: list[tuple[float, dict[str, Tensor]]] = []

    def run(self, watch: Watch, *, seconds: float | None = None) -> None:
        """Train until the plan, the patience or the time ends; the model then holds the weights
        to keep: the best ones on the validation pictures, or the last without patience."""
        at = self.position
        if not at.history:
            self._end_epoch()
            watch.epoch(self)
        while not at.ended:
            while not self._run_epoch(watch, seconds):
                self.step.recover()
            self.step.settle()
            at.epoch += 1
            self._end_epoch()
            self._decide(seconds)
            watch.epoch(self)
        if len(self.ingredients) > 1:
            self._cook()
        if self.val is not None and self.recipe.patience:
            copy_into(self.step.learned, self.best)
        elif self.step.average:
            copy_into(self.step.learned, self.step.average.values)
        if self.recipe.recompute_norms == "after":
            refit_norms(self.model, self.strategy, self.recipe, self.train, self.step.device)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, in plain values and tensors."""
        return {
            "position": asdict(self.position),
            "plan": self.plan.to_dict(),
            "best": self.best,
            "ingredients": [[score, weights] for score, weights in self.ingredients],
            **self.step.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.position = Position(**state["position"])
        self.plan = Plan.from_dict(state["plan"])
        copy_into(self.best, state["best"])
        self.ingredients = [(score, dict(weights)) for score, weights in state["ingredients"]]
        self.step.restore(state)

    def _run_epoch(self, watch: Watch, seconds: float | None) -> bool:
        """Step through what is left of the epoch, of the plan and of the time.

        False where another process was lost on the way: the step under way is not done.
        """
        at = self.position
        train_mode(self.model, self.strategy)
        waited = self.train.waited
        with closing(self.train.epoch(at.epoch, start_batch=at.batch)) as batches:
            while at.step < self.plan.steps and not self._out_of_time(seconds):
                started = time.monotonic()
                group = list(itertools.islice(batches, self.recipe.accumulate))
                if not group:
                    break
                try:
                    done = self.step(group, at.step, self.plan.steps)
                except Lost:
                    return False
                self._count(len(group), done)
                spent = time.monotonic() - started
                at.seconds += spent
                at.epoch_seconds += spent
                at.waited += self.train.waited - waited
                waited = self.train.waited
                watch.step(self, done.loss)
        return True

    def _count(self, batches: int, done: Outcome) -> None:
        at = self.position
        at.step = min(at.step + self.step.width, (at.epoch + 1) * self.plan.steps_per_epoch)
        at.batch += batches * self.step.width
        at.loss += done.loss * done.pictures
        at.correct += done.correct
        at.seen += done.pictures

    def _end_epoch(self) -> None:
        """Validate, remember the weights if they are the best so far, write the record."""
        at = self.position
        started = time.monotonic()
        accuracy, loss = self._validate() if self.val is not None else (None, None)
        at.seconds += time.monotonic() - started
        at.close_epoch(self.plan, self.step.rate(), accuracy, loss)

    def _validate(self) -> tuple[float, float | None]:
        """Accuracy and loss of the averaged weights; ties go to those that have learned longer."""
        assert self.val is not None
        at = self.position
        with self._averaged():
            accuracy, loss = self._judged()
            self._remember(accuracy)
            if accuracy >= at.best_accuracy:
                at.best_epoch, at.best_accuracy = at.epoch, accuracy
                copy_into(self.best, self.step.learned)
        return accuracy, loss

    def _judged(self) -> tuple[float, float | None]:
        """Accuracy and loss of the weights that the model holds."""
        assert self.val is not None
        step = self.step
        return self.judge(
            evaluate(
                self.model, self.val, step.device, self.plan.precision, self.recipe.channels_last
            )
        )

    def _remember(self, accuracy: float) -> None:
        """Keep the weights of the best epochs for a soup, as many as the recipe says."""
        if not self.recipe.soup or not self.position.step:
            return
        weights = {name: value.detach().clone() for name, value in self.step.learned.items()}
        self.ingredients.append((accuracy, weights))
        self.ingredients.sort(key=lambda pair: -pair[0])  # of equals, earlier epochs stay
        del self.ingredients[self.recipe.soup :]

    def _cook(self) -> None:
        """A greedy soup of the best epochs becomes the best weights; it is never worse."""

        def judge(weights: Mapping[str, Tensor]) -> float:
            copy_into(self.step.learned, weights)
            return self._judged()[0]

        soup, taken = greedy_soup(self.ingredients, judge)
        if self.ingredients[taken[0]][0] >= self.position.best_accuracy:
            copy_into(self.best, soup)
            reason = f"a soup of {len(taken)} of the {len(self.ingredients)} best epochs"
            self.plan = replace(self.plan, why=(*self.plan.why, reason))

    def _averaged(self) -> AbstractContextManager:
        return self.step.average.applied() if self.step.average else nullcontext()

    def _decide(self, seconds: float | None) -> None:
        """End training, or go on, perhaps with fewer steps than planned."""
        at, patience = self.position, self._patience()
        if at.step >= self.plan.steps:
            at.ended = "all epochs"
        elif self._out_of_time(seconds):
            at.ended = "time"
        elif self.val is not None and patience and at.epoch - at.best_epoch >= patience:
            at.ended = "early stopping"
        elif seconds:
            self.plan = replan(self.plan, at.step, at.seconds, seconds)

    def _patience(self) -> int:
        if self.recipe.patience == "auto" and self.strategy.binary:
            return self.plan.epochs  # its second half is another training
        if self.recipe.patience == "auto":  # gains come late, when the rate falls
            return max(LEAST_PATIENCE, self.plan.epochs // 2)
        return self.recipe.patience

    def _out_of_time(self, seconds: float | None) -> bool:
        return seconds is not None and self.position.seconds > seconds
