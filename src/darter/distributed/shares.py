"""Which pictures of an epoch a process takes. All together they take each picture once."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Place(Protocol):
    """A `Link` has them, and they change when members come and go."""

    rank: int
    size: int


Batches = list[NDArray[np.int64]]


def part_of_each(link: Place) -> Callable[[Batches], Batches]:
    """Of each batch, every n-th picture: n processes step together on one batch of the run."""
    return lambda batches: [batch[link.rank :: link.size] for batch in batches]


def every_nth(link: Place) -> Callable[[Batches], Batches]:
    """Whole batches, every n-th: each process steps by itself. Where the number of batches is no
    multiple of n, the last ones are filled up from the front, so that all have as many."""

    def divide(batches: Batches) -> Batches:
        rounds = -(-len(batches) // link.size)
        return [batches[(k * link.size + link.rank) % len(batches)] for k in range(rounds)]

    return divide
