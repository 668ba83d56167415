"""A function over many chunks of work, on workers that may die."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from darter.cluster.network import threads_of
from darter.cluster.start import first_line, machines_of, start_ray
from darter.errors import DarterError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
RESTARTS = 3  # of each worker, and of a chunk whose worker died
AHEAD = 2  # chunks that a worker has in hand


class Hand:
    """What runs on each worker: `make` once, its result for each chunk."""

    def __init__(self, make: Callable[[int | None], Callable[[Any], Any]], threads: Any) -> None:
        self._work = make(None if threads == "auto" else threads)

    def do(self, chunk: Any) -> Any:
        return self._work(chunk)


def spread(
    make: Callable[[int | None], Callable[[Chunk], Result]],
    chunks: Iterable[Chunk],
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[Result]:
    """What `make(threads)` makes of each chunk, in their order, each once.

    make: called once on each worker, with the threads that it may use (None: all cores).
    workers: on this machine, or spread over the cluster; None takes one for each machine.
    address: of a Ray cluster; None is this machine.

    A worker that dies is started again and its chunks are done again. A DarterError that work
    raises is raised here; where a worker dies again and again, the error says why.
    """
    ray = start_ray(workers or 1, address)
    nodes = machines_of(ray)
    count = workers or len(nodes)
    hands = [_hire(ray, make, nodes[k % len(nodes)], count, len(nodes)) for k in range(count)]
    waiting: deque[tuple[Any, int]] = deque()
    load = [0] * count
    source = iter(chunks)

    def send() -> None:
        while sum(load) < AHEAD * count:
            try:
                chunk = next(source)
            except StopIteration:
                return
            k = load.index(min(load))
            load[k] += 1
            waiting.append((hands[k].do.remote(chunk), k))

    try:
        send()
        while waiting:
            answer, k = waiting.popleft()
            result = _result(ray, answer)
            load[k] -= 1
            send()
            yield result
    finally:
        for hand in hands:
            ray.kill(hand)
        if address is None:
            ray.shutdown()


def _hire(ray: Any, make: Any, node: Any, count: int, nodes: int) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    threads = threads_of(-(-count // nodes))
    place = NodeAffinitySchedulingStrategy(node[0], soft=True)
    options = {"max_restarts": RESTARTS, "max_task_retries": RESTARTS, "num_cpus": 0}
    return ray.remote(Hand).options(scheduling_strategy=place, **options).remote(make, threads)


def _result(ray: Any, answer: Any) -> Any:
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DarterError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise DarterError(f"a worker died {RESTARTS + 1} times ({first_line(error)})") from error
