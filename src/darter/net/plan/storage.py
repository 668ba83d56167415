"""Where tensors lie: storages, views of them, and one arena for all that live at the same time."""

from dataclasses import dataclass, field
from heapq import heappop, heappush

from darter.kernels import PLAIN, Array, Layout, Where, blocks, canonical

Dims = tuple[int, ...]
LINE = 64  # bytes of a cache line, on which tensors begin
MOST_COMPARED = 4096  # storages
ARENA, INPUT, OUTPUT, CONSTANT = Where.arena, Where.input, Where.output, Where.constant


@dataclass(eq=False)
class Storage:
    """Bytes that one or several tensors share.

    index: its first byte in the arena, or the number of the input, output or constant.
    first, last: the steps between which the arena must hold it.   tensors: names of those in it.
    last_read: the last node that reads any of them.
    in_parts: some values are slices of it.
    """

    bytes: int
    where: Where = ARENA
    index: int = 0
    first: int = -1
    last: int = -1
    tensors: set[str] = field(default_factory=set)
    last_read: int = -1
    in_parts: bool = False

    def holds(self, name: str, last_read: int) -> None:
        """Say that a tensor lies here, too."""
        self.tensors.add(name)
        self.last_read = max(self.last_read, last_read)

    def touch(self, step: int) -> None:
        self.first = step if self.first < 0 else self.first
        self.last = step


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor in memory.

    shape: its own.   layout: how its numbers lie.   offset: bytes from the storage's begin.
    of_blocks: channel blocks per image in the storage, where it is blocked.
    """

    storage: Storage
    shape: Dims
    layout: Layout = PLAIN
    offset: int = 0
    of_blocks: int = 0

    @property
    def axis(self) -> int | None:
        """The axis of its channels where it is blocked, None where it is plain."""
        return self.layout.axis

    @property
    def array(self) -> Array:
        """What the compiled core takes for a blocked array."""
        assert self.axis is not None
        return (*canonical(self.shape, self.axis), self.of_blocks, self.layout.element)

    @property
    def own_blocks(self) -> int:
        """Channel blocks of an image."""
        return 0 if self.axis is None else blocks(self.shape[self.axis])

    @property
    def whole(self) -> bool:
        """Whether its images lie one behind the other."""
        return self.axis is None or self.of_blocks == self.own_blocks

    @property
    def place(self) -> tuple[Where, int]:
        at = self.offset if self.storage.where == ARENA else 0
        return self.storage.where, self.storage.index + at


def arrange(storages: list[Storage]) -> int:
    """Give every arena storage its index; returns the arena's bytes.

    The largest first, each at the lowest place that is free while it lives. That compares each
    with each, so that more than any known net has take turns instead.
    """
    if len(storages) > MOST_COMPARED:
        return _take_turns(storages)
    placed: list[Storage] = []
    size = 0
    for storage in sorted(storages, key=lambda s: (-s.bytes, s.first)):
        room = in_lines(storage.bytes)
        neighbors = [s for s in placed if s.first <= storage.last and storage.first <= s.last]
        at = 0
        for other in sorted(neighbors, key=lambda s: s.index):
            if other.index - at >= room:
                break
            at = max(at, other.index + in_lines(other.bytes))
        storage.index = at
        placed.append(storage)
        size = max(size, at + room)
    return size


def _take_turns(storages: list[Storage]) -> int:
    """Likewise in n log n, and looser: a place is only taken by another of the same size."""
    free: dict[int, list[int]] = {}
    busy: list[tuple[int, int, int]] = []  # a heap of (last step, place, room)
    size = 0
    for storage in sorted(storages, key=lambda s: s.first):
        room = in_lines(storage.bytes)
        while busy and busy[0][0] < storage.first:
            _, place, left = heappop(busy)
            free.setdefault(left, []).append(place)
        if free.get(room):
            storage.index = free[room].pop()
        else:
            storage.index, size = size, size + room
        heappush(busy, (storage.last, storage.index, room))
    return size


def in_lines(count: int) -> int:
    """Bytes of the cache lines that hold so many."""
    return -(-count // LINE) * LINE
