"""Decoded pictures kept in memory, so that a small data set is decoded once."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from darter.locks import Lock
from darter.machine import memory_now
from darter.picture import Encoded, Pixels, ValueRange, open_pixels, size_of


class PixelSource(Protocol):
    """Where a loader gets pixels: `PictureCache`, or what stands in its place."""

    def has(self, path: Path, min_side: int, value_range: ValueRange | None = None) -> bool:
        """Whether `get` will not need the file."""

    def get(
        self,
        path: Path,
        min_side: int,
        content: Callable[[], bytes] | None = None,
        value_range: ValueRange | None = None,
    ) -> Pixels:
        """What `open_pixels` gives with these options.

        content: gives the file's content where something else than `path` is to be read.
        """


class PictureCache:
    """Keeps decoded pixels until `max_bytes` are full, then decodes the others each time.

    What is in stays in: under a new random order each epoch no other rule hits more often.
    max_bytes: None means 2 GB, or a quarter of the free memory where that is less.
    One cache may serve several loaders and threads.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        self.max_bytes = default_bytes() if max_bytes is None else max_bytes
        self.bytes = 0
        self._kept: dict[tuple[Path, int, ValueRange | None], NDArray[np.uint8]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[type["PictureCache"], tuple[()]]:
        """In another process it is empty: that one decodes by itself, in its own memory."""
        return PictureCache, ()

    def has(self, path: Path, min_side: int, value_range: ValueRange | None = None) -> bool:
        """Whether `get` will not need the file."""
        return (path, min_side, value_range) in self._kept

    def get(
        self,
        path: Path,
        min_side: int,
        content: Callable[[], bytes] | None = None,
        value_range: ValueRange | None = None,
    ) -> Pixels:
        """As `PixelSource.get`; kept pixels are read only."""
        key = (path, min_side, value_range)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        pixels = open_pixels(
            content() if content else path, min_side=min_side, value_range=value_range
        )
        width, height = size_of(pixels)
        if self.bytes + 3 * width * height > self.max_bytes:
            return pixels
        if isinstance(pixels, Encoded):
            pixels = pixels.decode((0, 0, width, height))
        pixels.flags.writeable = False
        with self._lock:
            if key not in self._kept and self.bytes + pixels.nbytes <= self.max_bytes:
                self._kept[key] = pixels
                self.bytes += pixels.nbytes
        return pixels


def default_bytes() -> int:
    """2 GB, or a quarter of the available memory where that is known and less."""
    memory = memory_now()
    return min(2 << 30, memory.available // 4) if memory.total else 2 << 30
