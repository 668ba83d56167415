"""Reading shards from front to back, with a buffer that shuffles."""

import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from darter.picture import Member, PictureError

AHEAD = 64  # pictures read beyond what the buffer's order needs


def buffered_order(
    members: Sequence[Member], draw: np.random.Generator, buffer: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(order, reading): in which order pictures come, and in which they are read.

    Shards are read whole, in random order; each picture waits in a buffer of `buffer` pictures
    until chance picks it. The picture at place t is among the first t + buffer + 1 read.
    """
    shards: dict[object, list[int]] = {}
    for index in sorted(range(len(members)), key=lambda i: members[i].offset):
        shards.setdefault(members[index].shard, []).append(index)
    names = sorted(shards, key=str)
    reading = [i for at in draw.permutation(len(names)) for i in shards[names[at]]]
    order: list[int] = []
    waiting: list[int] = []
    chance = draw.random(len(reading))
    for index in reading:
        waiting.append(index)
        if len(waiting) > buffer:
            order.append(_take(waiting, chance[len(order)]))
    while waiting:
        order.append(_take(waiting, chance[len(order)]))
    return np.array(order, np.int64), np.array(reading, np.int64)


def _take(waiting: list[int], chance: float) -> int:
    at = int(chance * len(waiting))
    waiting[at], waiting[-1] = waiting[-1], waiting[at]
    return waiting.pop()


class Feed:
    """A thread that reads members in the order of `reading`, ahead of those who take them.

    order: in which they are taken, about; both may begin anywhere in an epoch.
    """

    def __init__(
        self,
        members: Mapping[int, Member],
        order: NDArray[np.int64],
        reading: NDArray[np.int64],
        buffer: int,
    ) -> None:
        wanted = set(order.tolist())
        self._reading = [index for index in reading.tolist() if index in wanted]
        place = {index: at for at, index in enumerate(self._reading)}
        # How far must be read before the first t + 1 are there.
        reach = np.maximum.accumulate([place[index] for index in order.tolist()] or [0])
        self._until = dict(zip(order.tolist(), (reach + 1 + AHEAD).tolist(), strict=False))
        self._members, self._changed = members, threading.Condition()
        self._content: dict[int, bytes | OSError] = {}
        self._failure: BaseException | None = None  # of the thread, apart from its pictures
        self._allowed = AHEAD + min(buffer, len(self._reading))
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="darter feed", daemon=True)
        self._thread.start()

    def take(self, index: int) -> bytes:
        """The content of one picture; waits for it. Raises PictureError if it cannot be read."""
        with self._changed:
            self._allowed = max(self._allowed, self._until[index])
            self._changed.notify_all()
            while index not in self._content and not self._closed and self._failure is None:
                self._changed.wait()
            if index not in self._content and self._failure is not None:
                raise self._failure
            content = self._content.pop(index, OSError(0, "reading was stopped"))
        if isinstance(content, OSError):
            raise PictureError("unreadable", content.strerror or str(content)) from content
        return content

    def close(self) -> None:
        """Stop reading and wait for the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._read()
        except BaseException as caught:  # raised again in those who wait, by `take`
            with self._changed:
                self._failure = caught
                self._changed.notify_all()

    def _read(self) -> None:
        for at, index in enumerate(self._reading):
            with self._changed:
                while at >= self._allowed and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            content: bytes | OSError
            try:
                content = self._members[index].read()
            except OSError as error:
                content = error
            with self._changed:
                self._content[index] = content
                self._changed.notify_all()
