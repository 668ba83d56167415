"""A function over many chunks of work, on workers that may die."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from darter.cluster.pool import Asked, Pool, Workers

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Item = TypeVar("Item")
AHEAD = 2  # chunks that a worker has in hand


def spread(
    make: Callable[[int | None], Callable[[Chunk], Result]],
    chunks: Iterable[Chunk],
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[Result]:
    """What `make(threads)` makes of each chunk, in their order, each once.

    make: called once on each worker; see `Pool`.   workers, address: see `Workers`.
    """
    pool: Pool[Chunk, Result] = Pool(make, Workers(workers, address), in_hand=AHEAD)
    waiting: deque[Asked] = deque()
    source = iter(chunks)

    def send() -> None:
        while len(waiting) < AHEAD * pool.count:
            try:
                chunk = next(source)
            except StopIteration:
                return
            waiting.append(pool.submit(chunk))

    try:
        send()
        while waiting:
            result = pool.result(waiting.popleft())
            send()
            yield result
    finally:
        pool.close()


def in_chunks(
    make: Callable[[int | None], Callable[[Sequence[Item]], Sequence[Result]]],
    items: Sequence[Item],
    workers: Workers,
    size: int = 64,
) -> Iterator[Result]:
    """One result for each item, in their order, from work on chunks of so many items."""
    chunks = (items[start : start + size] for start in range(0, len(items), size))
    for rows in spread(make, chunks, workers=workers.count, address=workers.address):
        yield from rows
