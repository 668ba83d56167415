"""Processes that share work, on this machine or a cluster, and may die."""

import importlib
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
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


@dataclass(eq=False)
class Asked:
    """A chunk for `Pool.result`. worker: the number of the one that has it, -1 while it waits;
    answer: Ray's promise of the result."""

    chunk: Any
    worker: int = -1
    answer: Any = None


class Pool(Generic[Chunk, Result]):
    """Workers that each call `make(threads)` once, and its result for each chunk they are given.

    threads: that a worker may use; None: all cores of its machine. A worker that dies is started
    again and its chunks are done again. A DarterError that work raises is raised by `result`; where
    a worker dies again and again, the error says why.

    make: may be given later, by `give`, while workers start.   imports: modules that they need,
    by name.   in_hand: chunks that a worker has at a time; the others wait for who is free first.
    """

    def __init__(
        self,
        make: Callable[[int | None], Callable[[Chunk], Result]] | None,
        workers: Workers,
        *,
        imports: Sequence[str] = (),
        in_hand: int = 2,
    ) -> None:
        ray = sys.modules.get("ray")
        self._own = workers.address is None and not (ray and ray.is_initialized())
        self._ray = start_ray(workers.count or 1, workers.address)
        nodes = machines_of(self._ray)
        self.count = workers.count or len(nodes)
        threads = threads_of(-(-self.count // len(nodes)))
        self.threads = None if threads == "auto" else threads
        self._hands = [self._hire(nodes[k % len(nodes)][0]) for k in range(self.count)]
        self._in_hand = in_hand
        self._waiting: deque[Asked] = deque()
        self._going: dict[Any, Asked] = {}  # by answer
        for hand in self._hands:
            hand.load.remote(list(imports))
        if make is not None:
            self.give(make)

    def give(self, make: Callable[[int | None], Callable[[Chunk], Result]]) -> None:
        """Say what the work is, before the first chunk."""
        # Held here, so that a worker that is started again finds it, however large it is.
        self._make = [self._ray.put((make, self.threads))]

    def submit(self, chunk: Chunk) -> Asked:
        """Have a chunk done by who is free first."""
        asked = Asked(chunk)
        self._waiting.append(asked)
        self._look(0)
        return asked

    def result(self, asked: Asked) -> Result:
        """Wait for what became of a chunk. To be called once for each."""
        while asked.answer is None or asked.answer in self._going:
            self._look(None)
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
        if asked.answer is None:
            self._waiting.remove(asked)
        elif asked.answer in self._going:
            self._ray.cancel(asked.answer)

    def close(self) -> None:
        for hand in self._hands:
            self._ray.kill(hand)
        if self._own:
            self._ray.shutdown()

    def _look(self, seconds: float | None) -> None:
        """Hand out what waits, once a worker is done or so long has passed; None: no limit."""
        if self._going:
            done, _ = self._ray.wait(list(self._going), timeout=seconds)
            for answer in done:
                del self._going[answer]
        load = Counter(asked.worker for asked in self._going.values())
        while self._waiting:
            worker = min(range(self.count), key=lambda k: load[k])
            if load[worker] >= self._in_hand:
                return
            asked = self._waiting.popleft()
            asked.worker = worker
            asked.answer = self._hands[worker].do.remote(self._make, asked.chunk)
            self._going[asked.answer] = asked
            load[worker] += 1

    def _hire(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        place = NodeAffinitySchedulingStrategy(node, soft=True)
        options = {"max_restarts": RESTARTS, "max_task_retries": RESTARTS, "num_cpus": 0}
        return self._ray.remote(Hand).options(scheduling_strategy=place, **options).remote()


class Hand:
    """What runs on each worker."""

    def __init__(self) -> None:
        self._work: Callable[[Any], Any] | None = None

    def load(self, imports: list[str]) -> None:
        """Import modules ahead of the work that needs them."""
        for name in imports:
            importlib.import_module(name)

    def do(self, kept: list[Any], chunk: Any) -> Any:
        """kept: a reference to (make, threads), which is followed once."""
        if self._work is None:
            import ray

            make, threads = ray.get(kept[0])
            self._work = make(threads)
        return self._work(chunk)
