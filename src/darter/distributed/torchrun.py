"""Members that torchrun started: `torchrun --nproc-per-node 4 -m darter train photos/`.

Rank 0 runs the job; the others wait and train along. torchrun ends all of them when one ends, and
starts them again with --max-restarts.
"""

import os
import socket
from collections.abc import Collection
from typing import Any

import torch.distributed as dist

from darter.cluster import first_line, threads_of
from darter.distributed.job import Job, follow
from darter.distributed.link import Link
from darter.distributed.pulse import Pulse
from darter.distributed.servers import Servers
from darter.distributed.team import PATIENCE, WorkerError
from darter.errors import OptionError


def is_torchrun() -> bool:
    """Whether torchrun started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_member() -> bool:
    """True in the processes that only train along."""
    return is_torchrun() and int(os.environ["RANK"]) > 0


class TorchrunCrew:
    """The chief's side; see `darter.distributed.crew`."""

    elastic = False  # torchrun ends everybody

    def __init__(self) -> None:
        self._store = _rendezvous()
        self.size = int(os.environ["WORLD_SIZE"])
        self._jobs = 0

    def threads(self) -> int | str:
        return threads_of(int(os.environ["LOCAL_WORLD_SIZE"]))

    def enlist(self, job: Job) -> tuple[Link, list[int]]:
        self._store.set(f"job/{self._jobs}", "train")
        link = Link(dist.PrefixStore(f"link/{self._jobs}", self._store), 0, job.patience)
        self._jobs += 1
        members = list(range(1, self.size))
        try:
            link.join(0, [0, *members])
            dist.broadcast_object_list([job])
        except RuntimeError as error:
            raise WorkerError(
                f"not all of torchrun's {self.size} processes answer: {first_line(error)}"
            ) from error
        return link, members

    def place(self, member: int) -> str:
        return self._store.get(f"place/{member}").decode()

    def fate(self, member: int) -> str:
        return ""

    def give_up(self, member: int) -> None: ...

    def recruits(self, members: Collection[int]) -> list[int]:
        return []

    def servers(self) -> Servers:
        raise OptionError(
            "--parallel async needs Ray for its parameter servers: leave torchrun out, and give "
            "--workers or --cluster."
        )

    def machines(self) -> int:
        return 1

    def dismiss(self) -> None: ...

    def close(self) -> None:
        self._store.set(f"job/{self._jobs}", "end")


def serve() -> None:
    """Be a member: train along in every job, until the chief has no more."""
    store, rank = _rendezvous(), int(os.environ["RANK"])
    size = int(os.environ["WORLD_SIZE"])
    store.set(f"place/{rank}", f"{socket.gethostname()} (process {os.getpid()})")
    threads = threads_of(int(os.environ["LOCAL_WORLD_SIZE"]))
    pulse, number = Pulse(store, rank), 0
    while _wait(store, f"job/{number}") == "train":
        link = Link(dist.PrefixStore(f"link/{number}", store), rank, PATIENCE)
        number += 1
        link.join(0, list(range(size)))
        carrier: list[Any] = [None]
        dist.broadcast_object_list(carrier)
        follow(carrier[0], link, threads)
        link.close()
    pulse.stop()


def _rendezvous() -> dist.Store:
    """torchrun's store, in which each start of the processes has its own keys."""
    store, _, _ = next(dist.rendezvous("env://"))
    return store


def _wait(store: dist.Store, key: str) -> str:
    """The value of a key, however long it takes: the chief may read pictures for hours."""
    while True:
        try:
            return store.get(key).decode()
        except dist.DistStoreError:  # the store's own limit of time
            continue
