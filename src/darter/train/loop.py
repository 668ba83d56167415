"""The training loop: steps, epochs, validation, and the state that a checkpoint holds."""

import itertools
import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from darter.dataset import Batch, Loader
from darter.errors import OptionError
from darter.train.device import casting, place
from darter.train.ema import Average, copy_into
from darter.train.loss import Loss, mix
from darter.train.optimizer import make_optimizer, set_rates
from darter.train.plan import Plan, replan
from darter.train.position import Position, learned_state
from darter.train.recipe import Recipe
from darter.train.seeds import generator, reseed
from darter.train.validate import evaluate, score
from darter.transfer import Classifier, Strategy, train_mode

LEAST_PATIENCE = 10  # epochs
MIX, NOISE = 0, 1  # places of the random numbers of a step; see darter.train.seeds


class Diverged(OptionError):
    """The loss is no number any more: the learning rate was too high."""


class Watch(Protocol):
    """Told after each step and each epoch; may raise to leave the loop at a point that `state`
    can continue from."""

    def step(self, loop: "Loop", loss: float) -> None: ...
    def epoch(self, loop: "Loop") -> None: ...


class Loop:
    """Trains `model` on batches; `run` goes on from wherever `position` stands.

    val, val_labels: validation batches in a fixed order, or None to train every planned epoch.
    """

    def __init__(
        self,
        model: Classifier,
        strategy: Strategy,
        recipe: Recipe,
        plan: Plan,
        loss: Loss,
        train: Loader,
        val: Loader | None,
        val_labels: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        self.model, self.strategy, self.recipe, self.plan = model, strategy, recipe, plan
        self.loss, self.train, self.val, self.val_labels = loss, train, val, val_labels
        self.device = device
        self.position = Position()
        self.optimizer = make_optimizer(model, strategy, recipe, plan.learning_rate)
        self.scaler = torch.amp.GradScaler(device.type, enabled=plan.precision == "float16")
        train_mode(model, strategy)
        self.learned = learned_state(model)
        self.average = Average(self.learned, recipe.ema) if recipe.ema else None
        self.best = {name: value.clone() for name, value in self.learned.items()}

    def run(self, watch: Watch, *, seconds: float | None = None) -> None:
        """Train until the plan, the patience or the time ends; the model then holds the weights
        to keep: the best ones on the validation pictures, or the last without patience."""
        at = self.position
        if not at.history:
            self._end_epoch()
            watch.epoch(self)
        while not at.ended:
            self._run_epoch(watch, seconds)
            at.epoch += 1
            self._end_epoch()
            self._decide(seconds)
            watch.epoch(self)
        if self.val is not None and self.recipe.patience:
            copy_into(self.learned, self.best)
        elif self.average:
            copy_into(self.learned, self.average.values)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, in plain values and tensors."""
        return {
            "position": asdict(self.position),
            "plan": self.plan.to_dict(),
            "learned": self.learned,
            "best": self.best,
            "average": self.average.values if self.average else {},
            "updates": self.average.updates if self.average else 0,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.position = Position(**state["position"])
        self.plan = Plan.from_dict(state["plan"])
        copy_into(self.learned, state["learned"])
        copy_into(self.best, state["best"])
        if self.average:
            copy_into(self.average.values, state["average"])
            self.average.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])

    def _run_epoch(self, watch: Watch, seconds: float | None) -> None:
        """Step through what is left of the epoch, of the plan and of the time."""
        at = self.position
        train_mode(self.model, self.strategy)
        waited = self.train.waited
        with closing(self.train.epoch(at.epoch, start_batch=at.batch)) as batches:
            while at.step < self.plan.steps and not self._out_of_time(seconds):
                started = time.monotonic()
                group = list(itertools.islice(batches, self.recipe.accumulate))
                if not group:
                    break
                loss = self._step(group)
                spent = time.monotonic() - started
                at.seconds += spent
                at.epoch_seconds += spent
                at.waited += self.train.waited - waited
                waited = self.train.waited
                watch.step(self, loss)

    def _step(self, group: list[Batch]) -> float:
        """One optimizer step over a group of batches, as if they were one large batch."""
        at, recipe = self.position, self.recipe
        set_rates(self.optimizer, recipe, at.step, self.plan.steps)
        self.optimizer.zero_grad()
        pictures = sum(len(batch.labels) for batch in group)
        total = 0.0
        for part, batch in enumerate(group):
            labels = torch.from_numpy(batch.labels).to(self.device)
            images, targets = mix(
                place(batch.images, self.device, recipe.channels_last),
                self.loss.targets(labels),
                mixup=recipe.mixup,
                cutmix=recipe.cutmix,
                random=generator(recipe.seed, MIX, at.step, part),
            )
            reseed(recipe.seed, NOISE, at.step, part)
            with casting(self.device, self.plan.precision):
                logits = self.model(images)
            loss = self.loss(logits, targets) / pictures
            self.scaler.scale(loss).backward()
            total += loss.item()
            at.correct += int((logits.argmax(1) == targets.argmax(1)).sum())
        if not math.isfinite(total):
            raise Diverged(
                f"the loss became {total} at step {at.step} with learning_rate "
                f"{self.plan.learning_rate:g} in {self.plan.precision}; choose a smaller one"
            )
        self._update()
        at.step += 1
        at.batch += len(group)
        at.loss += total * pictures
        at.seen += pictures
        return total

    def _update(self) -> None:
        if self.recipe.clip_gradient:
            self.scaler.unscale_(self.optimizer)
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.recipe.clip_gradient)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update()

    def _end_epoch(self) -> None:
        """Validate, remember the weights if they are the best so far, write the record."""
        at = self.position
        started = time.monotonic()
        accuracy, loss = self._validate() if self.val is not None else (None, None)
        at.seconds += time.monotonic() - started
        at.close_epoch(self.plan, self.rate(), accuracy, loss)

    def _validate(self) -> tuple[float, float]:
        """Accuracy and loss of the averaged weights; ties go to those that have learned longer."""
        assert self.val is not None
        at = self.position
        with self._averaged():
            logits = evaluate(
                self.model, self.val, self.device, self.plan.precision, self.recipe.channels_last
            )
            accuracy, loss = score(logits, self.val_labels)
            if accuracy >= at.best_accuracy:
                at.best_epoch, at.best_accuracy = at.epoch, accuracy
                copy_into(self.best, self.learned)
        return accuracy, loss

    def rate(self) -> float:
        """The top block's rate in the last step."""
        head = self.optimizer.param_groups[0]
        return self.plan.learning_rate * head["lr"] / head["peak"]

    def _averaged(self) -> AbstractContextManager:
        return self.average.applied() if self.average else nullcontext()

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
        if self.recipe.patience == "auto":  # gains come late, when the rate falls
            return max(LEAST_PATIENCE, self.plan.epochs // 2)
        return self.recipe.patience

    def _out_of_time(self, seconds: float | None) -> bool:
        return seconds is not None and self.position.seconds > seconds
