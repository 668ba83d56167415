"""What one call of `fit` works on, and how a run of it begins, resumes and ends."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from darter.dataset import Loader, PictureCache
from darter.picture import Augment, Preprocess
from darter.precision import as_float32
from darter.train.checkpoint import check_same
from darter.train.compute import (
    check_compute,
    may_compile,
    measure_compiled,
    settle_compute,
)
from darter.train.device import candidate_precisions
from darter.train.examples import Examples
from darter.train.loop import Loop
from darter.train.loss import Loss, make_loss, settle_balance
from darter.train.measure import measure
from darter.train.pictures import evaluation_loader, training_loader
from darter.train.plan import Plan, Speed, make_plan
from darter.train.position import Position
from darter.train.recipe import Recipe
from darter.train.step import Step
from darter.train.validate import evaluate, score
from darter.train.world import Batches, World
from darter.transfer import Classifier, Strategy


@dataclass(frozen=True)
class Fitted:
    """A trained model: on the CPU, in evaluation mode, in float32.

    plan: what was decided at the start; None for probes, which are not trained further.
    history: one record per epoch, as in metrics.jsonl; epoch 0 is before training.
    best_epoch: the epoch whose weights the model holds.
    val_accuracy, val_logits: of the validation pictures, computed in float32.
    ended: "all epochs", "early stopping", "time", or "nothing to train" (probes).
    """

    model: Classifier
    plan: Plan | None
    history: tuple[dict[str, Any], ...]
    best_epoch: int
    val_accuracy: float | None
    val_logits: NDArray[np.float32]
    ended: str
    seconds: float


@dataclass(frozen=True)
class Task:
    """What one call of `fit` works on; `strategy` with the recipe's overrides."""

    model: Classifier
    strategy: Strategy
    recipe: Recipe
    train: Examples
    val: Examples
    augment: Augment
    preprocess: Preprocess
    device: torch.device
    cache: PictureCache
    world: World | None = None

    def about(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be continued."""
        return {
            "strategy": self.strategy.name,
            "task": self.train.task.name,
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

    def loader(self, balance: str, divide: Any = None) -> Loader:
        return training_loader(
            self.train, self.augment, self.recipe, balance, self.cache, divide=divide
        )

    @property
    def outputs(self) -> int:
        """What the model tells apart."""
        return self.model.linear.out_features

    def balance(self) -> str:
        """How classes are balanced: "none", "weights" or "sampling"."""
        return settle_balance(self.recipe.class_balance, self.train.targets, self.outputs)

    def validation(self) -> Loader:
        return evaluation_loader(self.val, self.preprocess, self.recipe, self.cache)

    def judge(self, logits: NDArray[np.float32]) -> tuple[float, float | None]:
        """How right the answers to the validation pictures are, in [0, 1], and their loss."""
        return score(self.val.task, logits, self.val.targets)

    def loss(self, balance: str) -> Loss:
        return make_loss(
            self.train.task.name,
            self.train.targets,
            self.outputs,
            smoothing=self.recipe.label_smoothing,
            balance=balance,
        )

    def fitted(self, loop: Loop | None, started: float) -> Fitted:
        """The model brought home, with its float32 logits of the validation pictures."""
        as_float32(self.model)
        logits = np.zeros((0, self.outputs), np.float32)
        if len(self.val):
            channels_last = self.recipe.channels_last
            logits = evaluate(self.model, self.validation(), self.device, "float32", channels_last)
        home = self.model.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
        at = loop.position if loop else Position(ended="nothing to train")
        keeps_best = len(self.val) > 0 and self.recipe.patience != 0
        return Fitted(
            model=home,
            plan=loop.plan if loop else None,
            history=tuple(at.history),
            best_epoch=at.best_epoch if keeps_best else at.epoch,
            val_accuracy=self.judge(logits)[0] if len(logits) else None,
            val_logits=logits,
            ended=at.ended,
            seconds=time.monotonic() - started,
        )
