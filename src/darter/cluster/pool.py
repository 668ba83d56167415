"""Processes that share work, on this machine or a cluster, and may die."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from darter.cluster.network import threads_of
from darter.cluster.start import first_line, machines_of, start_ray
from darter.errors import DarterError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
RESTARTS = 3  # of each worker, and of a chunk whose worker died


@dataclass(frozen=True)
class Workers:
    """How many processes share a work, and where.

    count: on this machine, or spread over the cluster; None takes one for each machine.
    address: of a Ray cluster; None is this machine.
    """

    count: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Asked:
    """A chunk that was handed out, for `Pool.result`. worker: its number."""

    answer: Any
    worker: int


class Pool(Generic[Chunk, Result]):
    """Workers that each call `make(threads)` once, and its result for each chunk they are given.

    threads: that a worker may use; None: all cores. A worker that dies is started again and its
    chunks are done again. A DarterError that work raises is raised by `result`; where a worker dies
    again and again, the error says why.
    """

    def __init__(
        self, make: Callable[[int | None], Callable[[Chunk], Result]], workers: Workers
    ) -> None:
        ray = sys.modules.get("ray")
        self._own = workers.address is None and not (ray and ray.is_initialized())
        self._ray = start_ray(workers.count or 1, workers.address)
        nodes = machines_of(self._ray)
        self.count = workers.count or len(nodes)
        threads = threads_of(-(-self.count // len(nodes)))
        # Held here, so that a worker that is started again finds it, however large it is.
        self._make = [self._ray.put((make, None if threads == "auto" else threads))]
        self._hands = [self._hire(nodes[k % len(nodes)][0]) for k in range(self.count)]
        self.load = [0] * self.count

    def submit(self, chunk: Chunk) -> Asked:
        """Hand a chunk to the worker that has the fewest."""
        k = self.load.index(min(self.load))
        self.load[k] += 1
        return Asked(self._hands[k].do.remote(self._make, chunk), k)

    def result(self, asked: Asked) -> Result:
        """Wait for what became of a chunk. To be called once for each."""
        self.load[asked.worker] -= 1
        try:
            return self._ray.get(asked.answer)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, DarterError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            raise DarterError(
                f"a worker died {RESTARTS + 1} times ({first_line(error)})"
            ) from error

    def forget(self, asked: Asked) -> None:
        """Have a chunk left out, unless it is under way."""
        self.load[asked.worker] -= 1
        self._ray.cancel(asked.answer)

    def close(self) -> None:
        for hand in self._hands:
            self._ray.kill(hand)
        if self._own:
            self._ray.shutdown()

    def _hire(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        place = NodeAffinitySchedulingStrategy(node, soft=True)
        options = {"max_restarts": RESTARTS, "max_task_retries": RESTARTS, "num_cpus": 0}
        return self._ray.remote(Hand).options(scheduling_strategy=place, **options).remote()


class Hand:
    """What runs on each worker."""

    def __init__(self) -> None:
        self._work: Callable[[Any], Any] | None = None

    def do(self, kept: list[Any], chunk: Any) -> Any:
        """kept: a reference to (make, threads), which is followed once."""
        if self._work is None:
            import ray

            make, threads = ray.get(kept[0])
            self._work = make(threads)
        return self._work(chunk)
