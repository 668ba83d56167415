"""Where arrays lie that live for some time: the smallest arena that a greedy packing finds."""

from collections.abc import Sequence
from typing import NamedTuple

ALIGNMENT = 16  # floats: a line of the cache


class Lifetime(NamedTuple):
    """An array of so many floats, in use from one moment to another, both included."""

    floats: int
    first: int
    last: int


def pack(arrays: Sequence[Lifetime]) -> tuple[list[int], int]:
    """An offset for each array, so that those alive together do not overlap; and the size of it
    all.

    The largest first, each into the lowest gap that it fits into.
    """
    offsets = [0] * len(arrays)
    placed: list[tuple[int, int, Lifetime]] = []  # begin, end
    for i in sorted(range(len(arrays)), key=lambda i: -arrays[i].floats):
        array = arrays[i]
        size = -(-array.floats // ALIGNMENT) * ALIGNMENT
        at = 0
        for begin, end, other in placed:
            if other.last < array.first or array.last < other.first:
                continue
            if begin - at >= size:
                break
            at = max(at, end)
        offsets[i] = at
        placed.append((at, at + size, array))
        placed.sort(key=lambda entry: entry[0])
    return offsets, max((end for _, end, _ in placed), default=0)
