"""Asynchronous training with a parameter server: workers never wait for each other.

Source: Dean et al., "Large scale distributed deep networks", 2012 (Downpour SGD).
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from darter.cluster import first_line
from darter.dataset import Batch
from darter.distributed.feed import Feed
from darter.distributed.joined import JoinedStep
from darter.distributed.link import Link
from darter.distributed.servers import (
    Group,
    Server,
    Servers,
    arrays,
    divided,
    usual_staleness,
)
from darter.distributed.shares import parts_in_turn
from darter.distributed.statistics import shares_replaced
from darter.noise import copy_into
from darter.train import Diverged, Lost, Outcome, Plan, Step, Training

if TYPE_CHECKING:
    from darter.distributed.team import Team

POLL_SECONDS = 0.01
LOOK_SECONDS = 3.0  # between looks at the workers while nothing comes
FOREVER = 1 << 30  # steps; the servers have the schedule
SERVERS = 2  # at least; one for each machine where there are more


class DownpourStep(JoinedStep):
    """The chief watches the servers and validates; every member computes gradients by itself.

    Each has parts of the batches that are its own, and goes through them at its own pace. What is
    validated after an epoch are the weights of that moment; workers do not stop for it.
    """

    divide = staticmethod(parts_in_turn)
    grouped = False

    def __init__(
        self, training: Training, plan: Plan, link: Link, team: "Team | None" = None
    ) -> None:
        super().__init__(training, plan, link, team)
        weights = {name for name, _ in self.model.named_parameters()}
        statistics = [name for name in self.learned if name not in weights]
        self._replaced = shares_replaced(self.model, statistics, self.recipe.accumulate)
        self._servers: list[Server] = []
        self._names: list[str] = []
        self._version = 0  # updates that the servers had when they were last asked
        self._steps = plan.steps
        self._going = False
        self._batch = min(int(self.recipe.batch_size), len(training.train))
        self._whole = self._batch * self.recipe.accumulate  # pictures of an update
        self._last = Outcome(0.0, 0.0, self._whole)
        self._names_of: dict[int, tuple[str, ...]] = {}
        self._pool = ThreadPoolExecutor(8, "darter push")

    # The chief.

    def regrouped(self) -> None:
        """Start servers with the chief's state, and have the workers push to them."""
        assert self.team
        servers = self.team.crew.servers()
        parts = divided(
            self._groups(),
            self._replaced,
            {name: value.numel() for name, value in self.learned.items()},
            max(SERVERS, self.team.crew.machines()),
        )
        recipe = self.recipe.replace(batch_size=self._batch)
        usual = usual_staleness(self._batch, max(1, len(self.team.members)))
        self._names = servers.make(parts, recipe, usual, self.link.address)
        self._find(servers, self._names)
        state = self._own_state()
        self._each(lambda server: self._load(server, state))
        if self._going:
            self.welcome()

    def _load(self, server: Server, state: Mapping[str, Any]) -> None:
        names = server.names()
        own = {
            key: {n: value for n, value in state[key].items() if n in names}
            for key in ("learned", "average", "optimizer")
        }
        server.load({**own, "updates": state["updates"]}, self._version, self._steps)

    def welcome(self) -> None:
        """Tell the workers, new ones too, where the servers are."""
        assert self.team
        self._going = True
        self.link.announce("go", servers=self._names, members=self.team.members)

    def __call__(self, group: list[Batch], number: int, steps: int) -> Outcome:
        """Wait until the servers have made update `number`."""
        self._steps = steps
        if not self._going:  # they run ahead of validation from the first step on, not before
            self.welcome()
        looked = time.monotonic()
        figures: list[tuple[float, float, int]] = []
        while self._version <= number:
            try:
                told = self._each(lambda server: server.progress(steps))
            except Lost as error:
                self._version = number
                raise self.lost(error) from error
            if trouble := next((t for _, _, t in told if t), ""):
                raise Diverged(trouble)
            # A worker that is lost between its pushes leaves servers with unlike numbers.
            self._version = min(version for version, _, _ in told)
            figures += told[0][1]
            if self._version > number:
                break
            if time.monotonic() - looked > LOOK_SECONDS and self.team:
                self.team.look()
                looked = time.monotonic()
            time.sleep(POLL_SECONDS)
        if self.team:
            self.team.went_well()
        self._last = mean(figures, self._whole) if figures else self._last
        return self._last

    def settle(self) -> None:
        """Weights, averages and the optimizer's state come from the servers to the chief."""
        try:
            states = self._each(lambda server: server.state())
        except Lost as error:
            if self.team is None:
                raise
            self.team.recover(error)
            return
        for state in states:
            self._adopt(state)
        if self.team is None:
            return
        counted = sorted(states[0]["staleness"].items())
        self.team.record["staleness"] = {str(stale): times for stale, times in counted}
        self.team.record["rejected"] = states[0]["rejected"]

    def state(self) -> dict[str, Any]:
        if self._servers:
            self.settle()
        return super().state()

    def restore(self, state: Any) -> None:
        Step.restore(self, state)
        self._version = state["position"]["step"]
        if self.team:
            self.team.regroup()

    # A worker.

    def obey(self, command: dict[str, Any], feed: Feed) -> None:
        """Compute gradients and push them until the servers say that training is over."""
        if self.link.member not in command["members"]:
            return
        assert self.servers is not None
        self.link.rank = command["members"].index(self.link.member)
        self.link.size = len(command["members"])
        self.lane = (self.link.member,)
        self._find(self.servers, command["servers"])
        self._over = False
        feed.open(0)
        number = 0
        while not self._over:
            try:
                self._pull()
                group = feed.take_on()
                self._own = sum(len(batch) for batch in group)
                super().__call__(group, number, FOREVER)
            except Diverged as error:
                self._each(methodcaller("report", str(error)))
                return
            number += 1

    def _pull(self) -> None:
        self._versions = []
        for version, weights in self._each(lambda server: server.pull()):
            self._versions.append(version)
            tensors = {name: torch.tensor(value) for name, value in weights.items()}
            copy_into({name: self.learned[name] for name in tensors}, tensors)
        self._before = {name: self.learned[name].clone() for name in self._replaced}

    def summed(self, total: float, correct: float) -> tuple[float, float]:
        self._done = total, correct
        return total, correct

    def update(self) -> None:
        """Push instead of stepping; each server gets what belongs to it."""
        parameters = dict(self.model.named_parameters())
        learning = [parameters[n] for n in self.learned if n in parameters]
        clip(learning, self.recipe.clip_gradient, self._own / self._whole)
        values = alone(self._before, self.learned, self._replaced)
        for name in self.learned:
            gradient = parameters[name].grad if name in parameters else None
            if gradient is not None:
                values[name] = gradient.numpy(force=True)
        figures = (*self._done, self._own)
        versions = dict(zip(map(id, self._servers), self._versions, strict=True))
        told = self._each(
            lambda server: server.push(versions[id(server)], self._of(server, values), figures)
        )
        self._over = all(over for _, over in told)

    def _of(self, server: Server, values: Mapping[str, Any]) -> dict[str, Any]:
        names = self._names_of.get(id(server)) or server.names()
        self._names_of[id(server)] = names
        return {name: values[name] for name in names if name in values}

    # Both.

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _find(self, servers: Servers, names: Sequence[str]) -> None:
        self._names_of.clear()
        try:
            self._servers = [servers.find(name) for name in names]
        except Exception as error:  # of whatever would carry calls to them
            raise Lost(f"a parameter server is lost: {first_line(error)}") from error

    def _each(self, ask: Callable[[Server], Any]) -> list[Any]:
        """The answers of all servers, which are asked at the same time."""
        try:
            return list(self._pool.map(ask, self._servers))
        except Diverged:
            raise
        except Exception as error:  # of whatever carries the call
            raise Lost(f"a parameter server is lost: {first_line(error)}") from error

    def _groups(self) -> list[Group]:
        names = {p: n for n, p in self.model.named_parameters()}
        return [
            Group(tuple(names[p] for p in g["params"]), g["peak"], g["weight_decay"])
            for g in self.optimizer.param_groups
        ]

    def _own_state(self) -> dict[str, Any]:
        """The chief's state by the names of weights, as arrays."""
        parameters, state = dict(self.model.named_parameters()), self.optimizer.state
        average = self.average
        return {
            "learned": arrays(self.learned),
            "average": arrays(average.values) if average else {},
            "updates": average.updates if average else 0,
            "optimizer": {n: arrays(state[p]) for n, p in parameters.items() if p in state},
        }

    def _adopt(self, state: Mapping[str, Any]) -> None:
        learned = {name: torch.tensor(value) for name, value in state["learned"].items()}
        copy_into({name: self.learned[name] for name in learned}, learned)
        if self.average:
            values = {name: torch.tensor(value) for name, value in state["average"].items()}
            copy_into({name: self.average.values[name] for name in values}, values)
            self.average.updates = state["updates"]
        parameters = dict(self.model.named_parameters())
        for name, entries in state["optimizer"].items():
            kept = {key: torch.tensor(value) for key, value in entries.items()}
            self.optimizer.state[parameters[name]] = kept


def alone(
    before: Mapping[str, Tensor], now: Mapping[str, Tensor], replaced: Mapping[str, float]
) -> dict[str, Any]:
    """Running statistics as they would be of the last pictures alone, as arrays.

    So a server moves its own towards what was seen, and not towards what it was when pulled.
    """
    statistics = {name: now[name] for name in replaced}
    for name, value in statistics.items():
        if value.is_floating_point():
            statistics[name] = before[name].lerp(value, 1 / replaced[name])
    return arrays(statistics)


def clip(parameters: list[Any], most: float, share: float) -> None:
    """As the recipe would clip the gradient of a batch, that of a `share` of its pictures.

    most: the largest norm of a batch's gradient; 0: unlimited. That of a part is larger by the
    root of 1/share where it is mostly noise.
    """
    if most:
        torch.nn.utils.clip_grad_norm_(parameters, most / math.sqrt(share))


def mean(figures: list[tuple[float, float, int]], whole: int) -> Outcome:
    """What a step of `whole` pictures tells, from those of parts."""
    pictures = sum(count for *_, count in figures)
    loss = sum(each * count for each, _, count in figures) / pictures
    right = sum(each for _, each, _ in figures)
    return Outcome(loss, right / pictures * whole, whole)
