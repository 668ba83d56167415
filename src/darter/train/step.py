"""One optimizer step: mixing, forward, loss, backward, update, and the running average."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from darter.dataset import Batch
from darter.errors import DarterError, OptionError
from darter.noise import copy_into, mix
from darter.precision import FixedUpdate, set_binary
from darter.train.arithmetic import fixed_of, forward_in, make_scaler, shorten_weights
from darter.train.compiled import CompiledNet, compiled
from darter.train.device import place
from darter.train.loss import Loss
from darter.train.noisy import counts, make_average, train_mode
from darter.train.one_pass import OnePass
from darter.train.optimizer import make_optimizer, set_rates
from darter.train.position import learned_state
from darter.train.recipe import Recipe
from darter.train.seeds import generator, reseed
from darter.transfer import Strategy, TransferModel

MIX, NOISE = 0, 1  # places of the random numbers of a step; see darter.train.seeds


class Lost(DarterError):
    """Another process that trains along is gone; says which, where and why."""


class Diverged(OptionError):
    """The loss is no number any more: the learning rate was too high."""


@dataclass(frozen=True)
class Outcome:
    """loss: the mean over the pictures.   correct: how many of the `pictures` were right."""

    loss: float
    correct: float
    pictures: int


class Step:
    """Trains a model by groups of batches, each as if it were one large batch.

    learned: the tensors that change.   average: of them, or None without `ema` or `swa`.
    counts: whether the step under way belongs to the average.
    width: batches of an epoch that are done while this process does one; above 1 where others
        train along (see `darter.train.world`), who have ways of their own for the methods below.
    """

    counts = True
    width = 1
    lane: tuple[int, ...] = ()  # keeps this process's random numbers apart from those of others

    def __init__(
        self,
        model: TransferModel,
        strategy: Strategy,
        recipe: Recipe,
        loss: Loss,
        device: torch.device,
        *,
        precision: str,
        learning_rate: float,
        compute: str = "pytorch",
    ) -> None:
        self.compute = compute
        self.compiled: CompiledNet | None = None
        self.model, self.recipe, self.loss, self.device = model, recipe, loss, device
        self.precision, self.learning_rate = precision, learning_rate
        self.two_steps = strategy.binary
        self.short = shorten_weights(model, recipe)
        self.optimizer = make_optimizer(model, strategy, recipe, learning_rate)
        self.scaler = make_scaler(precision, device, recipe)
        train_mode(model, strategy)
        fits = compute == "darter" and OnePass.takes(self.optimizer)
        self.one_pass = OnePass(self.optimizer) if fits else None
        self.learned = learned_state(model)
        fixed = fixed_of(precision)  # averages would not be numbers of the format
        self.average = None if fixed else make_average(self.learned, recipe)
        if isinstance(self.scaler, FixedUpdate):
            self.scaler.prepare([p for p in model.parameters() if p.requires_grad])

    def __call__(self, group: list[Batch], number: int, steps: int) -> Outcome:
        """Take step `number` of `steps`. Raises Diverged where the loss is no number."""
        recipe = self.recipe
        if self.two_steps:
            set_binary(self.model, 2 * number >= steps)
        set_rates(self.optimizer, recipe, number, steps)
        self.optimizer.zero_grad()
        pictures, weight = self.pictures(group), self.weight()
        total, correct = 0.0, 0.0
        for part, batch in enumerate(group):
            given = torch.from_numpy(batch.targets).to(self.device)
            images, targets = mix(
                place(batch.images, self.device, recipe.channels_last),
                self.loss.targets(given),
                mixup=recipe.mixup,
                cutmix=recipe.cutmix,
                random=generator(recipe.seed, MIX, number, part, *self.lane),
            )
            reseed(recipe.seed, NOISE, number, part, *self.lane)
            with self.joining(last=part + 1 == len(group)):
                with self.arithmetic(number, part):
                    logits = self.forward(images)
                loss = self.loss(logits, targets) / pictures
                self.scaler.scale(loss * weight).backward()
            total += loss.item()
            correct += self.loss.rightness(logits, targets)
        total, correct = self.summed(total, correct)
        if not math.isfinite(total):
            raise Diverged(
                f"the loss became {total} at step {number} with learning_rate "
                f"{self.learning_rate:g} in {self.precision}; choose a smaller one"
            )
        self.counts = counts(recipe, number, steps)
        self.update()
        return Outcome(total, correct, pictures)

    def arithmetic(self, number: int, part: int) -> AbstractContextManager:
        """Around the forward pass of batch `part` of a step; the core has its own."""
        if self.compute == "darter":
            return nullcontext()
        return forward_in(self.precision, self.device, self.recipe.seed, number, part)

    def forward(self, images: Tensor) -> Tensor:
        if self.compute != "darter":
            return self.model(images)
        if self.compiled is None:
            self.compiled = compiled(self.model, images, precision=self.precision)
            self.compiled.training = True
        return self.compiled(images)

    def pictures(self, group: list[Batch]) -> int:
        """Pictures of the step, those of others included."""
        return sum(len(batch) for batch in group)

    def weight(self) -> float:
        """Factor on this process's gradient before it is joined with those of others."""
        return 1.0

    def joining(self, *, last: bool) -> AbstractContextManager:
        """Around forward and backward of each batch of a step; others join in at the last one."""
        return nullcontext()

    def summed(self, total: float, correct: float) -> tuple[float, float]:
        """Both over all pictures of the step."""
        return total, correct

    def settle(self) -> None:
        """Bring `learned`, `average` and what `state` gives up to date with those of others."""

    def recover(self) -> None:
        """Go on without those who were lost, from the step that failed."""

    def update(self) -> None:
        if self.recipe.clip_gradient:
            self.scaler.unscale_(self.optimizer)
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.recipe.clip_gradient)
        if self.one_pass is not None:
            self.one_pass(self.average, self.counts)
            return
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update(self.counts)

    def rate(self) -> float:
        """The top block's rate in the last step."""
        head = self.optimizer.param_groups[0]
        return self.learning_rate * head["lr"] / head["peak"]

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, in plain values and tensors."""
        return {
            "learned": self.learned,
            "average": self.average.values if self.average else {},
            "updates": self.average.updates if self.average else 0,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        copy_into(self.learned, state["learned"])
        if self.average:
            copy_into(self.average.values, state["average"])
            self.average.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
