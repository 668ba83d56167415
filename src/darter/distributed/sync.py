"""Synchronous data parallelism: all processes step together on one batch of the run.

Each computes the gradient of its part of the batch; DistributedDataParallel joins them, so that the
step is the one that a single process takes on the whole batch.
"""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from darter.dataset import Batch
from darter.distributed.joined import JoinedStep
from darter.distributed.link import Link
from darter.distributed.shares import part_of_each
from darter.distributed.statistics import StatisticsOfAll
from darter.train import Outcome, Plan, Training

if TYPE_CHECKING:
    from darter.distributed.team import Team


class SyncStep(JoinedStep):
    """The chief announces each step and takes its part in it; members follow.

    A batch has the recipe's number of pictures, whatever the number of processes. Batch norms that
    train take their statistics over the whole batch.
    """

    divide = staticmethod(part_of_each)
    compress = False

    def __init__(
        self, training: Training, plan: Plan, link: Link, team: "Team | None" = None
    ) -> None:
        super().__init__(training, plan, link, team)
        self._whole = min(int(self.recipe.batch_size), len(training.train))
        weights = {name for name, _ in self.model.named_parameters()}
        self._statistics = {n: v for n, v in self.learned.items() if n not in weights}

    def regrouped(self) -> None:
        self.lane = (self.link.rank,) if self.link.rank else ()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a new name for broadcast_buffers
            # Allowing for unused parameters also keeps the order of sums the same from the first
            # step on, so that a resumed run has the same bits.
            self._joined = DistributedDataParallel(
                self.model, broadcast_buffers=False, find_unused_parameters=True
            )
        if self.compress:
            from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

            self._joined.register_comm_hook(None, bf16_compress_hook)
        super().regrouped()

    def __call__(self, group: list[Batch], number: int, steps: int) -> Outcome:
        before = {name: value.clone() for name, value in self._statistics.items()}
        try:
            if self.is_chief:
                self.link.announce("step", number=number, steps=steps)
            done = super().__call__(group, number, steps)
        except RuntimeError as error:
            for name, value in before.items():
                self._statistics[name].copy_(value)
            raise self.lost(error) from error
        if self.team:
            self.team.went_well()
        return done

    def forward(self, images: Tensor) -> Tensor:
        return self._joined(images)

    def pictures(self, group: list[Batch]) -> int:
        return len(group) * self._whole

    def weight(self) -> float:
        return float(self.link.size)  # by which DistributedDataParallel divides

    @contextmanager
    def joining(self, *, last: bool) -> Iterator[None]:
        with ExitStack() as stack:
            if not last:
                stack.enter_context(self._joined.no_sync())
            if self._statistics:
                stack.enter_context(StatisticsOfAll())
            yield

    def summed(self, total: float, correct: float) -> tuple[float, float]:
        both = torch.tensor([total, correct], dtype=torch.float64)
        dist.all_reduce(both)
        return float(both[0]), float(both[1])


class HalfSyncStep(SyncStep):
    """Gradients travel in bfloat16: half the bytes, for links that are the bottleneck.

    They are rounded to 8 bits of mantissa before they are summed; weights stay in float32.
    """

    compress = True
