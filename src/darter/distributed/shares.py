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

SMALLEST = 8  # pictures; of fewer, batch norms know little, and a push costs more than it brings


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


def parts_for(pictures: int, processes: int) -> int:
    """Into how many parts a batch is cut whose parts processes push without waiting: as many as
    there are processes, while a part has `SMALLEST` pictures."""
    return max(1, min(processes, pictures // SMALLEST))


def parts_in_turn(link: Place) -> Callable[[Batches], Batches]:
    """Parts of batches (see `parts_for`), every n-th: each process steps by itself."""

    def divide(batches: Batches) -> Batches:
        count = parts_for(len(batches[0]), link.size) if batches else 1
        return every_nth(link)([batch[k::count] for batch in batches for k in range(count)])

    return divide
