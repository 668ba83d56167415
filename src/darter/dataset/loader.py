"""Batches of pictures, read, decoded and augmented by threads while the model works."""

import functools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.dataset.batch import Batch, Slots
from darter.dataset.cache import PictureCache, PixelSource
from darter.dataset.epoch import Epoch
from darter.dataset.feed import Feed, buffered_order
from darter.errors import DarterError, DataError, OptionError, ShapeError
from darter.machine import available_cpus
from darter.picture import Member, Picture, Pixels, ValueRange, draws, locate

Divide = Callable[[list[NDArray[np.int64]]], list[NDArray[np.int64]]]
_ORDER = 1  # stream of random numbers that shuffles; stream 0 draws the warps


class Transform(Protocol):
    """What turns pixels into one slot of a batch: `Augment` or `Preprocess`."""

    @property
    def side(self) -> int: ...

    @property
    def min_side(self) -> int: ...

    def write(
        self, pixels: Pixels, out: NDArray[Any], seed: int, epoch: int, index: int
    ) -> None: ...


class Loader:
    """Prefetching batches for any training loop; no worker processes.

    samples: paths, or pictures already decoded.   targets: one number or row for each:
        the class, or 1.0 for each class whose label it has.
    transform: `Augment` or `Preprocess`.   batch_size: pictures in a batch.
    shuffle: a new order each epoch.   order: epoch -> the indices to visit, in that order, instead
        (for balanced sampling, …).   drop_last: leave out a last batch that is not full.
    threads: workers; None starts with one and adds another whenever the consumer had to wait.
    channels_last: the memory order of images; the shape is (N, 3, H, W) either way.
    dtype: "float32", "bfloat16" or "uint8" (colors in 0..255, not normalized).   pin: batches in
        memory that a CUDA device reads by itself, for `batch.tensors(device)`.
    sequential: for pictures in a pack on a slow disk: shards are read from front to back, in random
        order, and this many pictures wait in memory to be shuffled. Replaces `shuffle`.
    divide: what this process takes of the batches that are left of an epoch, where several
        processes share one.
    prefetch: batches made ahead.   cache: keeps decoded pictures; None makes one of its own.

    Order and bits depend on (seed, epoch) alone, not on threads. A batch's arrays belong to the
    consumer: their memory is used again only when nothing refers to it any more.

    >>> loader = Loader(paths, labels, augment, batch_size=32, seed=0)
    >>> for images, labels in loader:            # the next epoch, numpy arrays
    >>> for batch in loader.epoch(0): images, labels = batch.tensors()     # torch's
    """

    def __init__(
        self,
        samples: Sequence[Path | str | Picture],
        targets: ArrayLike,
        transform: Transform,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        threads: int | None = None,
        order: Callable[[int], ArrayLike] | None = None,
        channels_last: bool = False,
        dtype: str = "float32",
        pin: bool = False,
        sequential: int | None = None,
        divide: Divide | None = None,
        prefetch: int = 2,
        cache: PixelSource | None = None,
    ) -> None:
        self.samples = list(samples)
        self.targets = _as_targets(targets)
        if self.targets.shape[:1] != (len(self.samples),):
            raise ShapeError(
                f"loader: {len(self.samples)} samples need as many targets, "
                f"got {self.targets.shape}"
            )
        for name, value in (
            ("batch_size", batch_size),
            ("threads", threads),
            ("prefetch", prefetch),
            ("sequential", sequential),
        ):
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise OptionError(f"loader: {name} must be a whole number from 1 on, got {value!r}")
        if not hasattr(transform, "write"):
            raise OptionError(
                f"loader: transform must be an Augment or a Preprocess, got {transform!r}"
            )
        self.transform, self.batch_size, self.seed = transform, batch_size, seed
        self._value_range: ValueRange | None = getattr(transform, "value_range", None)
        self.shuffle, self.drop_last, self.order = shuffle, drop_last, order
        self.channels_last, self.prefetch, self.divide = channels_last, prefetch, divide
        self.cache: PixelSource = PictureCache() if cache is None else cache
        self.waited = 0.0  # seconds that the consumer waited for pictures, all epochs together
        self.sequential = sequential
        self._members = self._located() if sequential else []
        self._adapt = threads is None
        self.threads = threads or 1
        self._next_epoch = 0
        sides = getattr(transform, "sides", (transform.side, transform.side))
        self._slots = Slots(sides, batch_size, dtype, channels_last, pin)

    def __repr__(self) -> str:
        pictures, size = len(self.samples), self.transform.side
        return f"<Loader: {pictures} pictures, batches of {self.batch_size}, {size}×{size}>"

    def __len__(self) -> int:
        """Batches in epoch 0."""
        return len(self._batches(0))

    def __iter__(self) -> Iterator[Batch]:
        """The next epoch: 0 on the first pass, then 1, ..."""
        epoch, self._next_epoch = self._next_epoch, self._next_epoch + 1
        return self.epoch(epoch)

    def indices(self, epoch: int) -> NDArray[np.int64]:
        """Indices into the samples in the order in which an epoch visits them."""
        if self.order is not None:
            indices = np.asarray(self.order(epoch), np.int64)
            if indices.size and not 0 <= indices.min() <= indices.max() < len(self.samples):
                raise OptionError(f"loader: order gave an index outside 0..{len(self.samples) - 1}")
            return indices
        if self.sequential:
            return self._buffered(epoch)[0]
        if self.shuffle:
            return draws(self.seed, epoch, 0, stream=_ORDER).permutation(len(self.samples))
        return np.arange(len(self.samples))

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch, None, None]:
        """The batches of one epoch from number `start_batch` on.

        An unusable picture raises its DataError when its batch is due. Closing the iterator, an
        exception or Ctrl-C in the loop ends the threads.
        """
        batches = self._batches(epoch)[start_batch:]
        if self.divide:
            batches = self.divide(batches)
        feed = self._feed(epoch, batches)
        work = Epoch(
            batches,
            lambda indices: self._slots.batch(self.targets[indices], indices),
            lambda batch, position: self._fill(batch, position, epoch, feed),
            prefetch=self.prefetch,
            threads=self.threads,
            most_threads=available_cpus() if self._adapt else self.threads,
            feed=feed,
        )
        try:
            for number in range(len(batches)):
                began = time.perf_counter()
                batch = work.take(number)
                self.waited += time.perf_counter() - began
                self.threads = max(self.threads, len(work.threads))
                yield batch
        finally:
            work.close()

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        indices, size = self.indices(epoch), self.batch_size
        batches = [indices[at : at + size] for at in range(0, len(indices), size)]
        if self.drop_last and batches and len(batches[-1]) < size:
            batches.pop()
        return batches

    def _located(self) -> list[Member]:
        if self.order is not None:
            raise OptionError("loader: sequential brings its own order; leave out order")
        members = []
        for sample in self.samples:
            member = None if isinstance(sample, Picture) else locate(Path(sample))
            if member is None:
                name = "a decoded picture" if isinstance(sample, Picture) else str(sample)
                raise OptionError(
                    f"loader: sequential reads shards, {name} is not in one. "
                    "Pack the pictures with `darter pack`, or leave out sequential."
                )
            members.append(member)
        return members

    def _buffered(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        assert self.sequential
        return buffered_order(
            self._members, draws(self.seed, epoch, 0, stream=_ORDER), self.sequential
        )

    def _feed(self, epoch: int, batches: list[NDArray[np.int64]]) -> Feed | None:
        """What reads the shards for these batches of an epoch, where they are read in order."""
        if not self.sequential or not batches:
            return None
        order = np.concatenate(batches)
        order = order[[not self._is_cached(index) for index in order]]
        reading = self._buffered(epoch)[1]
        return Feed(dict(enumerate(self._members)), order, reading, self.sequential)

    def _is_cached(self, index: int) -> bool:
        sample = self.samples[index]
        return not isinstance(sample, Picture) and self.cache.has(
            Path(sample), self.transform.min_side, self._value_range
        )

    def _pixels(self, index: int, feed: Feed | None) -> Pixels:
        sample = self.samples[index]
        if isinstance(sample, Picture):
            return sample.pixels
        content = None if feed is None else functools.partial(feed.take, index)
        min_side = self.transform.min_side
        return self.cache.get(Path(sample), min_side, content, self._value_range)

    def _fill(self, batch: Batch, position: int, epoch: int, feed: Feed | None) -> None:
        """Write a picture to its place in a batch."""
        index, out = int(batch.indices[position]), batch.images[position]
        sample = self.samples[index]
        name = f"picture {index}" if isinstance(sample, Picture) else str(sample)
        try:
            self.transform.write(self._pixels(index, feed), out, self.seed, epoch, index)
        except DarterError as error:
            if name in str(error):
                raise
            raise DataError(f"{name}: {error}") from error
        except Exception as error:
            error.add_note(f"while loading {name}")
            raise


def _as_targets(targets: ArrayLike) -> NDArray[Any]:
    """Class numbers as int64 (N,), several labels as float32 (N, classes)."""
    given = np.asarray(targets)
    if given.ndim > 3:
        raise ShapeError(
            f"loader: targets must be (N,), (N, classes) or (N, boxes, 6), got {given.shape}"
        )
    return given.astype(np.int64 if given.ndim < 2 else np.float32, copy=False)
