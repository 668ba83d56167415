"""One pass over the pictures: the threads that fill batches, and the batches in hand."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from darter.dataset.batch import Batch
from darter.dataset.feed import Feed

Indices = NDArray[np.int64]


@dataclass
class _Pending:
    """A batch in the making."""

    batch: Batch
    missing: int
    errors: dict[int, BaseException] = field(default_factory=dict)


class Epoch:
    """The threads of one pass and the batches that they have in hand.

    batches: the pictures of each.   new_batch: indices -> an empty batch of them.
    fill: (batch, position) -> writes that picture to its place.   prefetch: batches made ahead.
    threads: at first; another comes whenever the consumer had to wait, up to `most_threads`.
    feed: what `fill` may wait for; ends with the epoch.
    """

    def __init__(
        self,
        batches: list[Indices],
        new_batch: Callable[[Indices], Batch],
        fill: Callable[[Batch, int], None],
        *,
        prefetch: int,
        threads: int,
        most_threads: int,
        feed: Feed | None = None,
    ) -> None:
        self.batches, self.new_batch, self.fill = batches, new_batch, fill
        self.prefetch, self.most_threads, self.feed = prefetch, most_threads, feed
        self.changed = threading.Condition()
        self.pending: dict[int, _Pending] = {}
        self.started = 0  # batches whose pictures are being handed out
        self.position = 0  # next picture of batch started - 1
        self.taken = 0  # batches that the consumer has asked for
        self.closed = False
        self.failure: BaseException | None = None  # of a thread, apart from its pictures
        self.threads: list[threading.Thread] = []
        if batches:
            for _ in range(threads):
                self._add_thread()

    def take(self, number: int) -> Batch:
        """Wait for a batch."""
        with self.changed:
            self.taken = number + 1
            self.changed.notify_all()
            ready = number in self.pending and not self.pending[number].missing
            if not ready and number > 0 and len(self.threads) < self.most_threads:
                self._add_thread()
            while number not in self.pending or self.pending[number].missing:
                if self.failure is not None:
                    raise self.failure
                self.changed.wait()
            done = self.pending.pop(number)
        if done.errors:
            raise done.errors[min(done.errors)]
        return done.batch

    def close(self) -> None:
        """Stop and wait for the threads; pictures in hand are finished first."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        if self.feed is not None:
            self.feed.close()
        for thread in self.threads:
            thread.join()

    def _add_thread(self) -> None:
        # Daemons: an iterator that is still open when the program ends must not keep it alive.
        thread = threading.Thread(target=self._work, name="darter loader", daemon=True)
        self.threads.append(thread)
        thread.start()

    def _work(self) -> None:
        try:
            self._fill_batches()
        except BaseException as caught:  # raised again in the consumer, by `take`
            with self.changed:
                self.failure = caught
                self.changed.notify_all()

    def _fill_batches(self) -> None:
        while (job := self._next_job()) is not None:
            pending, position = job
            error: BaseException | None = None
            try:
                self.fill(pending.batch, position)
            except BaseException as caught:  # raised again in the consumer, by `take`
                error = caught
            with self.changed:
                if error is not None:
                    pending.errors[position] = error
                pending.missing -= 1
                if not pending.missing:
                    self.changed.notify_all()

    def _next_job(self) -> tuple[_Pending, int] | None:
        with self.changed:
            while not self.closed:
                current = self.started - 1
                if current >= 0 and self.position < len(self.batches[current]):
                    self.position += 1
                    return self.pending[current], self.position - 1
                if self.started == len(self.batches):
                    return None
                if self.started < self.taken + self.prefetch:
                    self._start_batch()
                else:
                    self.changed.wait()
            return None

    def _start_batch(self) -> None:
        indices = np.array(self.batches[self.started])
        self.pending[self.started] = _Pending(self.new_batch(indices), len(indices))
        self.started += 1
        self.position = 0
