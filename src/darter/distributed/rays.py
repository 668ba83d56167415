"""Members as Ray actors: on this machine, or on the machines of a cluster.

Ray places them, says when and why one ended, and starts new ones in place of lost ones.
"""

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from darter.cluster import (
    LOOPBACK,
    first_line,
    interface_of,
    listen,
    machines_of,
    start_ray,
    threads_of,
)
from darter.distributed.job import Job, follow
from darter.distributed.link import Link, store_at
from darter.distributed.measuring import measure_link
from darter.distributed.ray_servers import RayServers
from darter.distributed.team import WorkerError
from darter.errors import OptionError
from darter.machine import available_cpus

PROBE_SECONDS = 60.0
ANSWER_SECONDS = 300.0  # of a measurement; a member has to load PyTorch and the net


class Member:
    """What a Ray actor of darter does."""

    def about(self) -> tuple[str, int]:
        return socket.gethostname(), os.getpid()

    def step(self, work: Any, threads: int) -> float:
        from darter.distributed.survey import step_seconds

        return step_seconds(work, threads)[0]

    def read_speed(self, paths: Any) -> float:
        from darter.distributed.survey import read_speed

        return read_speed(paths)

    def measure(self, number: int, members: list[int], store: tuple[str, int], own: str) -> None:
        """Take part in `measure_link`."""
        link = self._link(number, store, own, PROBE_SECONDS)
        try:
            link.join(0, members)
            measure_link(link)
        finally:
            link.close()

    def _link(self, number: int, store: tuple[str, int], own: str, patience: float) -> Link:
        return Link(store_at(*store), number, patience, interface_of(own))

    def train(
        self,
        job: Job,
        number: int,
        store: tuple[str, int],
        own: str,
        threads: int,
    ) -> None:
        """Follow a job as member `number`.   own: this machine's address."""
        link = self._link(number, store, own, job.patience)
        try:
            follow(job, link, threads)
        finally:
            link.close()


@dataclass
class _Hand:
    """One actor. node: (id, address, host) of its machine."""

    actor: Any
    node: tuple[str, str, str]
    working: Any = None
    about: Any = None


class RayCrew:
    """The chief's side; see `darter.distributed.crew`.

    workers: processes in all, this one included; None takes one for each machine.
    address: of a cluster ("auto" for the one that this machine belongs to), None: this machine.
    """

    elastic = True

    def __init__(self, workers: int | None, address: str | None = None) -> None:
        self.ray = start_ray(workers or 1, address)
        self.local = address is None
        self.own = LOOPBACK if self.local else self.ray.util.get_node_ip_address()
        self.nodes = machines_of(self.ray)
        self.wanted = (workers or len(self.nodes)) - 1
        if self.wanted < 1:
            raise OptionError(_too_few(workers))
        self.hands: dict[int, _Hand] = {}
        self._servers = RayServers([node[0] for node in self.nodes])
        self._next = 1

    def threads(self) -> int | str:
        here = sum(self._node(k)[1] == self.own for k in range(1, self.wanted + 1))
        return threads_of(1 + here)

    def enlist(self, job: Job) -> tuple[Link, list[int]]:
        self.link = self._new_link(job.patience)
        self.job = self.ray.put(job)
        for number in [m for m in self.hands if self.fate(m)]:
            del self.hands[number]
        while len(self.hands) < self.wanted:
            self._hire()
        for number in self.hands:
            self._send(number)
        return self.link, list(self.hands)

    def time_steps(self, work: Any) -> list[tuple[str, float]]:
        """(machine, seconds of a training step) of each member, one after the other."""
        while len(self.hands) < self.wanted:
            self._hire()
        return [
            (hand.node[2], self._answers([hand.actor.step.remote(work, self._cores(number))])[0])
            for number, hand in self.hands.items()
        ]

    def time_disks(self, shares: Sequence[Sequence[Path]]) -> list[float]:
        """Pictures per second that each member reads from its disk; all at the same time."""
        return self._answers([
            hand.actor.read_speed.remote(list(share))
            for hand, share in zip(self.hands.values(), shares, strict=True)
        ])  # fmt: skip

    def measure_links(self) -> tuple[float, float]:
        """See `measure_link`; all members take part."""
        while len(self.hands) < self.wanted:
            self._hire()
        link, members = self._new_link(PROBE_SECONDS), [0, *self.hands]
        where = (self.own, self._store.port)
        theirs = [
            hand.actor.measure.remote(number, members, where, self._address(hand))
            for number, hand in self.hands.items()
        ]
        try:
            link.join(0, members)
            found = measure_link(link)
            self._answers(theirs)
        except RuntimeError as error:
            raise WorkerError(f"the links could not be measured: {first_line(error)}") from error
        finally:
            link.close()
        return found

    def _answers(self, asked: list[Any]) -> list[Any]:
        try:
            return self.ray.get(asked, timeout=ANSWER_SECONDS)
        except self.ray.exceptions.RayError as error:
            raise WorkerError(f"a worker could not be measured: {first_line(error)}") from error

    def _new_link(self, patience: float) -> Link:
        server = listen(self.own)
        self._store = dist.TCPStore(
            self.own, server.getsockname()[1], is_master=True, wait_for_workers=False,
            master_listen_fd=server.detach(), timeout=timedelta(seconds=60),
        )  # fmt: skip
        return Link(self._store, 0, patience, interface_of(self.own))

    def _address(self, hand: _Hand) -> str:
        return LOOPBACK if self.local else hand.node[1]

    def _cores(self, number: int) -> int:
        """Threads of a member: the cores of its machine, shared with others there."""
        node = self.hands[number].node
        beside = sum(self._node(k)[1] == node[1] for k in range(self.wanted + 1))
        cores = available_cpus() if self.local else hand_cores(self.ray, node[0])
        return max(1, cores // max(1, beside))

    def place(self, member: int) -> str:
        hand = self.hands[member]
        ready, _ = self.ray.wait([hand.about], timeout=0)
        try:
            process = f" (process {self.ray.get(ready[0])[1]})" if ready else ""
        except self.ray.exceptions.RayError:
            process = ""
        return hand.node[2] + process

    def fate(self, member: int) -> str:
        hand = self.hands[member]
        ready, _ = self.ray.wait([hand.working or hand.about], timeout=0)
        if not ready:
            return ""
        try:
            self.ray.get(ready[0])
        except self.ray.exceptions.RayError as error:
            return first_line(error)
        return "it has ended" if hand.working else ""

    def give_up(self, member: int) -> None:
        self.ray.kill(self.hands.pop(member).actor)

    def recruits(self, members: Collection[int]) -> list[int]:
        """Those who are ready; one is hired for each that is missing."""
        new = [m for m in self.hands if m not in members]
        for number in [m for m in new if self.fate(m)]:
            del self.hands[number]
        for _ in range(self.wanted - len(self.hands)):
            self._send(self._hire())
        return [m for m in new if m in self.hands and self.link.is_ready(m)]

    def servers(self) -> RayServers:
        return self._servers

    def machines(self) -> int:
        return len(self.nodes)

    def dismiss(self) -> None:
        """Members end the job by the chief's word; who does not within seconds is ended."""
        self._servers.close()
        working = [hand.working for hand in self.hands.values() if hand.working]
        _, late = (
            self.ray.wait(working, num_returns=len(working), timeout=10) if working else ((), ())
        )
        for number, hand in list(self.hands.items()):
            if hand.working in late:
                self.ray.kill(hand.actor)
                del self.hands[number]
            hand.working = None

    def close(self) -> None:
        self.ray.shutdown()

    def _hire(self) -> int:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        number, self._next = self._next, self._next + 1
        node = self._node(number)
        here = NodeAffinitySchedulingStrategy(node[0], soft=True)
        actor = self.ray.remote(Member).options(num_cpus=0, scheduling_strategy=here).remote()
        self.hands[number] = _Hand(actor, node, about=actor.about.remote())
        return number

    def _send(self, number: int) -> None:
        hand = self.hands[number]
        hand.working = hand.actor.train.remote(
            self.job, number, (self.own, self._store.port), self._address(hand),
            self._cores(number),
        )  # fmt: skip

    def _node(self, number: int) -> tuple[str, str, str]:
        return self.nodes[number % len(self.nodes)]


def _too_few(workers: int | None) -> str:
    if workers is None:
        return (
            "the cluster has one machine, this one. Start Ray on others (ray start "
            "--address=HEAD:PORT), or give a number of processes: --workers 2."
        )
    return "one worker is this process itself: leave --workers out, or give 2."


def hand_cores(ray: Any, node: str) -> int:
    found = [n["Resources"].get("CPU", 1) for n in ray.nodes() if n["NodeID"] == node]
    return int(found[0]) if found else 1
