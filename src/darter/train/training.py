"""What one call of `fit` works on, and how a run of it begins, resumes and ends."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from darter.dataset import Divide, PictureCache
from darter.picture import Preprocess
from darter.precision import as_float32
from darter.train.checkpoint import check_same
from darter.train.compute import (
    check_compute,
    may_compile,
    measure_compiled,
    settle_compute,
)
from darter.train.device import candidate_precisions, move
from darter.train.loop import Loop
from darter.train.loss import Loss
from darter.train.measure import measure
from darter.train.plan import Plan, Speed, make_plan
from darter.train.position import Position
from darter.train.recipe import Recipe
from darter.train.step import Step
from darter.train.validate import evaluate
from darter.train.world import Batches, World
from darter.transfer import Strategy, TransferModel


class Material(Protocol):
    """Pictures, or what was made of them, and what is to be learned of each."""

    def __len__(self) -> int: ...

    def digest(self) -> str:
        """Of all that must be the same for a training to go on."""


Model = TypeVar("Model", bound=TransferModel)
Known = TypeVar("Known", bound=Material)
Views = TypeVar("Views")


@dataclass(frozen=True)
class Fitted(Generic[Model]):
    """A trained model: on the CPU, in evaluation mode, in float32.

    plan: what was decided at the start; None for probes, which are not trained further.
    history: one record per epoch, as in metrics.jsonl; epoch 0 is before training.
    best_epoch: the epoch whose weights the model holds.
    val_accuracy, val_logits: of the validation pictures, computed in float32.
    ended: "all epochs", "early stopping", "time", or "nothing to train" (probes).
    """

    model: Model
    plan: Plan | None
    history: tuple[dict[str, Any], ...]
    best_epoch: int
    val_accuracy: float | None
    val_logits: NDArray[np.float32]
    ended: str
    seconds: float


@dataclass(frozen=True)
class Training(ABC, Generic[Model, Known, Views]):
    """What one call of `fit` works on; `strategy` with the recipe's overrides.

    Subclasses say what a kind of model learns from, by which loss, and how it is judged.
    augment: how training pictures are seen.   preprocess: how all others are.
    """

    model: Model
    strategy: Strategy
    recipe: Recipe
    train: Known
    val: Known
    augment: Views
    preprocess: Preprocess
    device: torch.device
    cache: PictureCache
    world: World | None = None

    @property
    @abstractmethod
    def task(self) -> str:
        """What the model is to say of a picture, by its name in model files."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """What the model tells apart."""

    @abstractmethod
    def balance(self) -> str:
        """How classes are balanced: "none", "weights" or "sampling"."""

    @abstractmethod
    def loader(self, balance: str, divide: Divide | None = None) -> Batches:
        """Batches of the training pictures. divide: as for `Loader`."""

    @abstractmethod
    def validation(self) -> Batches:
        """Batches of the validation pictures, in their order."""

    @abstractmethod
    def loss(self, balance: str) -> Loss: ...

    @abstractmethod
    def judge(self, logits: NDArray[np.float32]) -> tuple[float, float | None]:
        """How right the answers to the validation pictures are, in [0, 1], and their loss."""

    def about(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be continued."""
        return {
            "strategy": self.strategy.name,
            "task": self.task,
            "classes": self.outputs,
            "recipe": self.recipe.to_dict(),
            "pictures": [self.train.digest(), self.val.digest()],
        }

    def begin(self, seconds: float | None, notes: tuple[str, ...] = ()) -> Loop:
        """A run at its start, its plan made from a measured step where something depends on it.

        Where the net may not fit this process, none is measured: the precision is float32, and the
        first epochs say how many there is time for.
        The time that measuring takes is part of the run's `seconds`.
        """
        started = time.monotonic()
        balance = self.balance()
        alone = self.world is None
        check_compute(self.recipe, self.device, alone)
        asked = self.recipe.precision
        if self.recipe.compute == "darter" and asked == "auto":
            asked = "float32"
        precisions = candidate_precisions(self.device, asked)
        speed = None
        timed = self.world is None or self.world.fits_one
        if timed and (len(precisions) > 1 or seconds is not None):
            speed = measure(
                self.model,
                self.strategy,
                self.loss(balance),
                self.loader(balance),
                len(self.val),
                precisions,
                device=self.device,
                accumulate=self.recipe.accumulate,
                channels_last=self.recipe.channels_last,
            )
            speed = self.world.expected(self, speed) if self.world else speed

        def planned(speed: Speed | None) -> Plan:
            return make_plan(
                self.recipe if speed is not None else self.recipe.replace(precision=precisions[0]),
                self.strategy,
                pictures=len(self.train),
                class_balance=balance,
                speed=speed,
                seconds=None if seconds is None else seconds - (time.monotonic() - started),
            )

        plan = planned(speed)
        if self.recipe.compute == "darter":
            plan = replace(plan, compute="darter")
        elif speed is not None and may_compile(self.recipe, self.device, alone):
            speed, compute, why = settle_compute(
                plan, speed, seconds, lambda precision: self.core(balance, precision)
            )
            plan = planned(speed)
            plan = replace(plan, compute=compute, why=(*plan.why, *why))
        loop = self.loop(replace(plan, why=(*plan.why, *notes)))
        if loop.step.short:
            loop.plan = replace(loop.plan, why=(*loop.plan.why, loop.step.short))
        loop.position.seconds = time.monotonic() - started
        return loop

    def resume(self, saved: Mapping[str, Any]) -> Loop:
        """A run where its checkpoint left it; OptionError if it belongs to another one."""
        check_same(self.about(), saved["about"])
        loop = self.loop(Plan.from_dict(saved["plan"]))
        loop.restore(saved)
        return loop

    def loop(self, plan: Plan) -> Loop:
        step, train = self.world.begin(self, plan) if self.world else self.alone(plan)
        return Loop(
            self.model,
            self.strategy,
            self.recipe,
            plan,
            step,
            train,
            self.validation() if len(self.val) else None,
            self.judge,
        )

    def core(self, balance: str, precision: str) -> float:
        """Seconds of a step in the compiled core."""
        return measure_compiled(
            self.model,
            self.strategy,
            self.loss(balance),
            self.loader(balance),
            precision=precision,
            accumulate=self.recipe.accumulate,
            channels_last=self.recipe.channels_last,
        )

    def alone(self, plan: Plan) -> tuple[Step, Batches]:
        """What one process steps with, and on."""
        step = Step(
            self.model,
            self.strategy,
            self.recipe,
            self.loss(plan.class_balance),
            self.device,
            precision=plan.precision,
            learning_rate=plan.learning_rate,
            compute=plan.compute,
        )
        return step, self.loader(plan.class_balance)

    def fitted(self, loop: Loop | None, started: float) -> Fitted[Model]:
        """The model brought home, with its float32 logits of the validation pictures."""
        as_float32(self.model)
        logits = np.zeros((0, self.outputs), np.float32)
        if len(self.val):
            channels_last = self.recipe.channels_last
            logits = evaluate(self.model, self.validation(), self.device, "float32", channels_last)
        move(self.model, torch.device("cpu"), channels_last=False)
        at = loop.position if loop else Position(ended="nothing to train")
        keeps_best = len(self.val) > 0 and self.recipe.patience != 0
        return Fitted(
            model=self.model.eval(),
            plan=loop.plan if loop else None,
            history=tuple(at.history),
            best_epoch=at.best_epoch if keeps_best else at.epoch,
            val_accuracy=self.judge(logits)[0] if len(logits) else None,
            val_logits=logits,
            ended=at.ended,
            seconds=time.monotonic() - started,
        )
