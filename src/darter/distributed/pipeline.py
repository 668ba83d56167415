"""Model parallelism: each process has a part of the net, and parts of a batch pass through them.

For nets whose training does not fit one machine. PyTorch's pipelining traces and cuts the net and
runs the schedule. Sources: Huang et al., arXiv:1811.06965 (GPipe); Narayanan et al.,
arXiv:1806.03377 (1F1B).
"""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from darter.dataset import Batch
from darter.distributed.cut import choose_cut, parts_of
from darter.distributed.feed import Feed
from darter.distributed.joined import JoinedStep
from darter.distributed.link import Link
from darter.distributed.traced import compute_channels_last, contiguous, uncut
from darter.noise import Average, copy_into, mix
from darter.train import (
    Diverged,
    Outcome,
    Plan,
    Step,
    Training,
    generator,
    learned_state,
    place,
    reseed,
    set_rates,
)

if TYPE_CHECKING:
    from darter.distributed.team import Team

MIX, NOISE = 0, 1


class PipelineStep(JoinedStep):
    """The chief has the first part and the pictures, the last process has the loss.

    Batch norms that train see a part of a batch at a time.
    """

    divide = staticmethod(lambda _link: lambda batches: batches)
    averages = True  # each process those of its own part

    def __init__(
        self, training: Training, plan: Plan, link: Link, team: "Team | None" = None
    ) -> None:
        super().__init__(training, plan, link, team)
        self._batch = min(int(self.recipe.batch_size), len(training.train))
        self._classes = training.outputs
        self._side = training.augment.side
        self._settled: dict[str, Any] | None = None
        self._schedule: Any = None

    # Cutting.

    def regrouped(self) -> None:
        from torch.distributed.pipelining import Schedule1F1B, SplitPoint, pipeline

        self._count = parts_of(self._batch, self.link.size)
        example = torch.zeros(self._batch // self._count, 3, self._side, self._side)
        example = example.to(self.device)
        cut = self.link.share(
            choose_cut(self.model, example, self.link.size) if self.is_chief else None
        )
        if self.is_chief and self._settled is None:
            self._settled = copy.deepcopy(super().state())
        state = self.link.share(self._settled if self.is_chief else None)
        if not self.is_chief:
            self._take_whole(state)
        points = dict.fromkeys(cut, SplitPoint.BEGINNING)
        with warnings.catch_warnings(), contiguous(self.model), uncut(self.model, cut):
            warnings.simplefilter("ignore")  # about the tracer itself
            pipe = pipeline(self.model, mb_args=(example,), split_spec=points)
        self._module = pipe.get_stage_module(self.link.rank)
        if self.recipe.channels_last:
            compute_channels_last(self._module)
        if self.link.size == 1:  # PyTorch's schedules would send to themselves
            self._schedule = InARow(self._module, self._count, self._part_loss)
        else:
            stage = pipe.build_stage(self.link.rank, self.device)
            self._schedule = Schedule1F1B(stage, self._count, self._part_loss, scale_grads=False)
        names = {n for n, _ in self._module.named_parameters()}
        names |= {n for n, _ in self._module.named_buffers()}
        self.own = {n: v for n, v in self.learned.items() if n in names}
        if self.average:
            self._own_average = Average(self.own, self.recipe.ema)
            copy_into(self._own_average.values, {n: state["average"][n] for n in self.own})
            self._own_average.updates = state["updates"]
        if not self.is_chief:
            self._drop_foreign()

    def _take_whole(self, state: dict[str, Any]) -> None:
        parameters = dict(self.model.named_parameters())
        for name, value in state["learned"].items():
            if name in parameters:
                parameters[name].data = value.clone()
        self.learned = learned_state(self.model)
        copy_into(self.learned, state["learned"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _drop_foreign(self) -> None:
        """A member holds no weights of other parts; the chief has all, to save and to validate."""
        self.average = None if self.average is None else self._own_average
        for name, parameter in self.model.named_parameters():
            if name in self.learned and name not in self.own:
                parameter.data = torch.empty(0)
                del self.learned[name]
                self.optimizer.state.pop(parameter, None)

    # Stepping.

    def __call__(self, group: list[Batch], number: int, steps: int) -> Outcome:
        try:
            self.link.announce("step", number=number, steps=steps, batches=len(group))
            return self._step(group, len(group), number, steps)
        except RuntimeError as error:
            raise self.lost(error) from error

    def obey(self, command: dict[str, Any], feed: Feed) -> None:
        if command["do"] == "collect":
            self._collect()
        else:
            self._step([], command["batches"], command["number"], command["steps"])

    def _step(self, group: list[Batch], batches: int, number: int, steps: int) -> Outcome:
        recipe = self.recipe
        set_rates(self.optimizer, recipe, number, steps)
        self.optimizer.zero_grad()
        self._pictures = batches * self._batch
        self._total, self._correct = 0.0, 0.0
        for part in range(batches):
            images, targets = None, torch.empty(self._batch, self._classes)
            if group:
                given = torch.from_numpy(group[part].targets).to(self.device)
                images, targets = mix(
                    place(group[part].images, self.device, False),
                    self.loss.targets(given),
                    mixup=recipe.mixup,
                    cutmix=recipe.cutmix,
                    random=generator(recipe.seed, MIX, number, part),
                )
            dist.broadcast(targets, 0)
            lane = (self.link.rank,) if self.link.rank else ()
            reseed(recipe.seed, NOISE, number, part, *lane)
            inputs = () if images is None else (images,)
            last = self.link.rank == self.link.size - 1
            self._schedule.step(*inputs, target=targets if last else None)
        figures = torch.tensor([self._total, self._correct], dtype=torch.float64)
        dist.broadcast(figures, self.link.size - 1)
        total, correct = figures.tolist()
        if not math.isfinite(total):
            raise Diverged(
                f"the loss became {total} at step {number} with learning_rate "
                f"{self.learning_rate:g}; choose a smaller one"
            )
        self._clip()
        self.optimizer.step()
        if self.average:
            self._own_average.update()
        if self.team:
            self.team.went_well()
        return Outcome(total, correct, self._pictures)

    def _part_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss = self.loss(logits, targets) / self._pictures
        self._total += loss.item()
        self._correct += self.loss.rightness(logits, targets)
        return loss

    def _clip(self) -> None:
        """Hold the gradient of all parts together to the recipe's norm."""
        gradients = [p.grad for p in self._module.parameters() if p.grad is not None]
        square = torch.zeros((), dtype=torch.float64)
        for gradient in gradients:
            square += gradient.double().pow(2).sum()
        dist.all_reduce(square)
        if self.recipe.clip_gradient:
            factor = min(1.0, self.recipe.clip_gradient / (float(square.sqrt()) + 1e-6))
            for gradient in gradients:
                gradient.mul_(factor)

    # Bringing it together.

    def settle(self) -> None:
        """All weights, averages and the optimizer's state come to the chief."""
        try:
            self.link.announce("collect")
            for rank, state in enumerate(self._collect()):
                if rank:
                    self._adopt(state)
                elif self.average:
                    own = {n: self.average.values[n] for n in self.own}
                    copy_into(own, self._own_average.values)
            if self.average:
                self.average.updates = self._own_average.updates
            self._settled = copy.deepcopy(super().state())
        except RuntimeError as error:
            if self.team is None:
                raise
            self.team.recover(error)

    def _collect(self) -> list[Any]:
        mine = {
            "learned": self.own,
            "average": self._own_average.values if self.average else {},
            "optimizer": self._own_optimizer(),
        }
        return [self.link.share(mine, source=rank) for rank in range(self.link.size)]

    def _own_optimizer(self) -> dict[str, dict[str, Any]]:
        """Name of each weight of this part -> its state."""
        parameters = dict(self._module.named_parameters())
        state = self.optimizer.state
        return {n: state[p] for n, p in parameters.items() if p in state}

    def _adopt(self, state: Any) -> None:
        copy_into({n: self.learned[n] for n in state["learned"]}, state["learned"])
        if self.average:
            copy_into({n: self.average.values[n] for n in state["average"]}, state["average"])
        parameters = dict(self.model.named_parameters())
        for name, entries in state["optimizer"].items():
            self.optimizer.state[parameters[name]] = entries

    def state(self) -> dict[str, Any]:
        if self.team:
            self.settle()
        return super().state()

    def recover(self) -> None:
        """All parts go back to where they were last brought together."""
        if self._settled:
            Step.restore(self, self._settled)
        super().recover()

    def restore(self, state: Any) -> None:
        self._settled = None
        super().restore(state)


@dataclass(frozen=True)
class InARow:
    """The schedule of a process that is left alone: the parts of a batch one after the other."""

    net: nn.Module
    parts: int
    loss: Callable[[Tensor, Tensor], Tensor]

    def step(self, images: Tensor, target: Tensor) -> None:
        for part, wanted in zip(images.chunk(self.parts), target.chunk(self.parts), strict=True):
            self.loss(self.net(part), wanted).backward()
