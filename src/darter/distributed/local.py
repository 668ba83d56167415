"""Local SGD: each process takes steps by itself, and now and then all take the mean.

For slow links: what is exchanged is the weights once in H steps, not the gradient of every step.
Sources: Stich, arXiv:1805.09767 (local SGD); Douillard et al., arXiv:2311.08105 (DiLoCo).
"""

import math
import time
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from darter.dataset import Batch
from darter.distributed.feed import Feed
from darter.distributed.joined import JoinedStep
from darter.distributed.shares import every_nth
from darter.train import Diverged, Outcome

SHARE = 0.1  # of the time that exchanging may take; H follows from it
MOST_ROUND = 64  # steps alone


def round_length(exchange: float, step: float) -> int:
    """H: so many steps of `step` seconds that an exchange of `exchange` seconds is a small part."""
    return max(1, min(MOST_ROUND, math.ceil(exchange * (1 - SHARE) / (SHARE * step))))


class LocalStep(JoinedStep):
    """A round is H steps of each process on batches of its own, then the mean of all weights.

    H is measured: the first rounds are a step long. The chief's loss stands for that of all.
    """

    divide = staticmethod(every_nth)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.length = 1
        self._left = 0  # steps of the round under way
        self._rounds = 0
        self._since = 0.0
        self._broken: BaseException | None = None
        self._floats = [v for v in self.learned.values() if v.is_floating_point()]

    @property
    def width(self) -> int:
        return self.link.size

    @width.setter
    def width(self, _value: int) -> None: ...

    def regrouped(self) -> None:
        super().regrouped()
        self.lane = (self.link.rank,) if self.link.rank else ()
        self._left = 0
        self.anchored()

    def __call__(self, group: list[Batch], number: int, steps: int) -> Outcome:
        """The chief's step, which begins a round and ends one where it is due."""
        if self._broken:  # noticed after a step that was done
            error, self._broken = self._broken, None
            raise self.lost(error)
        if not self._left:
            self._begin(number, steps)
        done = super().__call__(group, number, steps)
        self._left -= 1
        if not self._left:
            self._exchange()
        size = self.link.size
        return Outcome(done.loss, done.correct * size, done.pictures * size)

    def _begin(self, number: int, steps: int) -> None:
        epoch = self.epoch_steps - number % self.epoch_steps  # steps of all that are left of it
        left = math.ceil(min(epoch, steps - number) / self.link.size)
        self._left = min(self.length, left)
        self.link.announce("round", number=number, steps=steps, count=self._left)
        self._since, self._alone = time.monotonic(), self._left

    def obey(self, command: dict[str, Any], feed: Feed) -> None:
        try:
            for k in range(command["count"]):
                number = command["number"] + k * self.link.size
                super().__call__(feed.take_on(), number, command["steps"])
        except Diverged:  # all are to know, and none is to wait
            with torch.no_grad():
                self._floats[0].fill_(float("nan"))
        self.average_all()

    def settle(self) -> None:
        """Cut a round short that is under way, as where the time is over."""
        if self._left:
            self._left = 0
            self._exchange()
        if self._broken and self.team:
            error, self._broken = self._broken, None
            self.team.recover(error)

    def _exchange(self) -> None:
        alone = (time.monotonic() - self._since) / self._alone
        started = time.monotonic()
        try:
            self.average_all()
        except RuntimeError as error:
            self._broken = error
            return
        if self.team:
            self.team.went_well()
        self._rounds += 1
        if self._rounds <= 3:  # the first ones also wait for each other's start
            self.length = round_length(time.monotonic() - started, alone)

    @torch.no_grad()
    def average_all(self) -> None:
        """Everybody's weights and statistics become their mean."""
        self.place(self._mean())

    def _mean(self) -> Tensor:
        """Of everybody's weights. Diverged where one's are no numbers, on all."""
        flat = torch.cat([value.reshape(-1).float() for value in self._floats])
        dist.all_reduce(flat)
        if not torch.isfinite(flat.sum()):
            raise Diverged(
                f"weights of a worker are no numbers with learning_rate {self.learning_rate:g}; "
                "choose a smaller one"
            )
        return flat / self.link.size

    def place(self, flat: Tensor) -> None:
        at = 0
        for value in self._floats:
            value.copy_(flat[at : at + value.numel()].view_as(value))
            at += value.numel()

    def anchored(self) -> None:
        """The weights are those that everybody has."""


class DiLoCoStep(LocalStep):
    """Local rounds whose mean change is a gradient for Nesterov's momentum.

    For trainings of hundreds of rounds. Source: Douillard et al., arXiv:2311.08105.
    """

    RATE, MOMENTUM = 0.7, 0.9

    @torch.no_grad()
    def anchored(self) -> None:
        self._anchor = torch.cat([value.reshape(-1).float() for value in self._floats])
        self._speed = torch.zeros_like(self._anchor)

    @torch.no_grad()
    def average_all(self) -> None:
        change = self._anchor - self._mean()
        self._speed.mul_(self.MOMENTUM).add_(change)
        self._anchor.sub_(change + self.MOMENTUM * self._speed, alpha=self.RATE)
        self.place(self._anchor)
