"""A member's training batches, opened where the chief says."""

import itertools
from collections.abc import Generator

from darter.dataset import Batch
from darter.train import Batches


class Feed:
    """group: batches that one optimizer step takes."""

    def __init__(self, loader: Batches, group: int) -> None:
        self._loader, self._group = loader, group
        self._epoch = 0
        self._open: Generator[Batch, None, None] | None = None

    def open(self, epoch: int, start: int = 0) -> None:
        self.close()
        self._epoch, self._open = epoch, self._loader.epoch(epoch, start)

    def take(self) -> list[Batch]:
        """The next step's batches; fewer, or none, at the end of the epoch."""
        return list(itertools.islice(self._open or (), self._group))

    def take_on(self) -> list[Batch]:
        """The next step's batches, of the next epoch where this one is over."""
        if not (group := self.take()):
            self.open(self._epoch + 1)
            group = self.take()
        return group

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
