"""The parameter server: some of the weights, with the optimizer that moves them.

Workers push gradients and pull weights without waiting for each other (Downpour, Dean et al. 2012).
Each pushes gradients of parts of batches; when as many pictures have come as a batch has, from
whomever, their mean gradient moves the weights. So the more workers there are, the more often each
pushes, and a gradient is late by less than an update while parts are not too small. Source: Zhang
et al., arXiv:1511.05950 (softsync, and batches divided by the number of workers).

A gradient that is s times as stale as it is with equally fast workers counts 1/s; one that is
staler than the bound is not used. Gradients that come late act like momentum, which is made up for.
Source: Mitliagkas et al., arXiv:1605.09774.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from darter.distributed.link import store_at
from darter.distributed.pulse import Pulse
from darter.distributed.shares import parts_for
from darter.noise import Average, copy_into
from darter.train import Recipe, optimizer_of, set_rates

MOST_STALE = 8  # updates


@dataclass(frozen=True)
class Group:
    """Weights by name that share a peak rate and a decay."""

    names: tuple[str, ...]
    rate: float
    weight_decay: float


@dataclass(frozen=True)
class Part:
    """What one server keeps: groups of weights, and running statistics of norms, of which a batch
    replaces a share (see `shares_replaced`)."""

    groups: tuple[Group, ...]
    statistics: Mapping[str, float]

    @property
    def names(self) -> tuple[str, ...]:
        return (*(name for group in self.groups for name in group.names), *self.statistics)


def usual_staleness(pictures: int, workers: int) -> float:
    """Updates that a gradient is late with equally fast workers: all others push a part."""
    return (workers - 1) / parts_for(pictures, workers)


def remaining_momentum(momentum: float, staleness: float) -> float:
    """What a recipe's momentum still adds to that of gradients that are so late, in the mean."""
    return max(0.0, momentum - staleness / (1 + staleness))


class Server:
    """recipe: of the training; its batch size is settled.   usual: see `usual_staleness`."""

    def __init__(
        self, part: Part, recipe: Recipe, usual: float, most_stale: int = MOST_STALE
    ) -> None:
        momentum = remaining_momentum(recipe.momentum, usual)
        self._part, self._recipe = part, recipe.replace(momentum=momentum)
        self._whole = int(recipe.batch_size) * recipe.accumulate  # pictures of an update
        self._usual = max(1.0, usual)
        self._most_stale = most_stale
        self._version = self._limit = self._rejected = 0
        self._staleness: Counter[int] = Counter()
        self._figures: list[tuple[float, float, int]] = []
        self._trouble = ""
        self._one = threading.Lock()  # calls may come from several threads

    def load(self, state: Mapping[str, Any], version: int, limit: int) -> None:
        """Begin with these weights after `version` updates, and stop after `limit`."""
        self._version, self._limit = version, limit
        self._gathered, self._missing = 0, self._whole  # pictures since the last update, until one
        self.learned = {n: torch.tensor(state["learned"][n]) for n in self._part.names}
        self._optimizer = optimizer_of(
            [
                {
                    "params": [self.learned[n].requires_grad_() for n in group.names],
                    "lr": group.rate,
                    "weight_decay": group.weight_decay,
                }
                for group in self._part.groups
            ],
            self._recipe,
        )
        for name, entries in state["optimizer"].items():
            self._optimizer.state[self.learned[name]] = {
                key: torch.tensor(value) for key, value in entries.items()
            }
        self._average = None
        if self._recipe.ema:
            live = {name: value.detach() for name, value in self.learned.items()}
            self._average = Average(live, self._recipe.ema)
            copy_into(self._average.values, {n: torch.tensor(state["average"][n]) for n in live})
            self._average.updates = state["updates"]

    def names(self) -> tuple[str, ...]:
        return self._part.names

    def pull(self) -> tuple[int, dict[str, Any]]:
        """(number of updates, the weights as arrays)."""
        with self._one:
            return self._version, arrays(self.learned)

    def push(
        self, version: int, values: Mapping[str, Any], figures: tuple[float, float, int]
    ) -> tuple[bool, bool]:
        """Take a gradient that was computed on the weights of `version`; move where it is time.

        values: mean gradients over the pictures, and statistics of these alone, by name.
        figures: mean loss, how many right, of how many pictures.
        Returns (was it used, is training over).
        """
        with self._one:
            return self._push(version, values, figures)

    def _push(
        self, version: int, values: Mapping[str, Any], figures: tuple[float, float, int]
    ) -> tuple[bool, bool]:
        if self._version >= self._limit:
            return False, True
        stale = self._version - version
        if stale > self._most_stale:
            self._rejected += 1
            return False, False
        self._staleness[stale] += 1
        pictures = figures[2]
        for name, value in values.items():
            given = torch.tensor(value)
            if name in self._part.statistics:
                self._mix(name, given, min(1.0, pictures / self._whole))
            else:
                self._add(self.learned[name], given, pictures / max(1.0, stale / self._usual))
        self._figures.append(figures)
        self._gathered += pictures
        self._missing -= pictures
        if self._missing <= 0:
            self._update()
        return True, self._version >= self._limit

    def _update(self) -> None:
        """Step by the mean gradient of the pictures that were gathered."""
        for value in self.learned.values():
            if value.grad is not None:
                value.grad /= self._gathered
        set_rates(self._optimizer, self._recipe, self._version, self._limit)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._average:
            self._average.update()
        self._version += 1
        self._gathered = 0
        self._missing += self._whole  # less what the last part was too many

    def progress(self, limit: int) -> tuple[int, list[tuple[float, float, int]], str]:
        """(updates so far, figures of those since the last call, what went wrong)."""
        with self._one:
            self._limit = limit
            figures, self._figures = self._figures, []
            return self._version, figures, self._trouble

    def report(self, trouble: str) -> None:
        """A worker cannot go on, e.g. as its loss is no number."""
        self._trouble = trouble

    def state(self) -> dict[str, Any]:
        """What `load` takes, with what was counted."""
        with self._one:
            return self._state()

    def _state(self) -> dict[str, Any]:
        names = {p: n for n, p in self.learned.items()}
        average = self._average
        return {
            "learned": arrays(self.learned),
            "average": arrays(average.values) if average else {},
            "updates": average.updates if average else 0,
            "optimizer": {names[p]: arrays(s) for p, s in self._optimizer.state.items()},
            "staleness": dict(self._staleness),
            "rejected": self._rejected,
        }

    @staticmethod
    def _add(weight: Tensor, gradient: Tensor, times: float) -> None:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        weight.grad.add_(gradient, alpha=times)

    @torch.no_grad()
    def _mix(self, name: str, given: Tensor, share: float) -> None:
        kept = self.learned[name]
        if kept.is_floating_point():
            kept.lerp_(given, share * self._part.statistics[name])
        else:
            kept.copy_(given)


class ServerProcess(Server):
    """A server that is all its process does: it ends with its chief, or soon after the chief was
    stopped or cut off (see `Pulse`).

    store: where the chief's listens.
    """

    def __init__(
        self, name: str, store: tuple[str, int], part: Part, recipe: Recipe, usual: float
    ) -> None:
        super().__init__(part, recipe, usual)
        self._pulse = Pulse(store_at(*store), name)


class Servers(Protocol):
    """Where servers run. A member finds by name what the chief made."""

    def make(
        self, parts: Sequence[Part], recipe: Recipe, usual: float, store: tuple[str, int]
    ) -> list[str]:
        """Start a `ServerProcess` for each part, in place of earlier ones; their names."""

    def find(self, name: str) -> Server:
        """What passes calls on to the server of that name."""


def divided(groups: Sequence[Group], statistics: Mapping[str, float],
            sizes: Mapping[str, int], servers: int) -> list[Part]:  # fmt: skip
    """Parts of about the same size. sizes: elements by name; those of statistics too."""
    where: dict[str, int] = {}
    load = [0] * servers
    for name in sorted([*sizes], key=lambda n: (-sizes[n], n)):
        where[name] = load.index(min(load))
        load[where[name]] += sizes[name]
    parts = []
    for k in range(servers):
        own = [
            Group(names, group.rate, group.weight_decay)
            for group in groups
            if (names := tuple(n for n in group.names if where[n] == k))
        ]
        parts.append(Part(tuple(own), {n: s for n, s in statistics.items() if where[n] == k}))
    return [part for part in parts if part.groups]


def arrays(tensors: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in tensors.items() if value is not None}
    return {name: value.detach().cpu().numpy().copy() for name, value in known.items()}
