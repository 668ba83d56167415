"""Differential runs: the real loader and the real step, with one part after the other left out."""

import itertools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from darter.dataset import Batch, Loader
from darter.doctor.job import SEED, Job
from darter.picture import Pixels, ValueRange, open_pixels

WARM_UP = 2  # batches, as many as the loader makes ahead
LEAST = 3  # batches that are timed


class Run:
    """Seconds per picture of one run.   waiting: share of it that the model waited for pictures."""

    def __init__(self, seconds: float, waiting: float = 0.0) -> None:
        self.seconds, self.waiting = seconds, waiting


def everything(job: Job, seconds: float, sequential: int | None = None) -> Run:
    """The whole job. sequential: as for `Loader`, where the pictures are packed."""
    return _run(job, _samples(job), seconds, job.model.step, sequential)


def without_reading(job: Job, seconds: float) -> Run:
    """Decode, augment, step."""
    return everything(job.in_memory(), seconds)


def without_decoding(job: Job, seconds: float) -> Run:
    """Augment, step."""
    return everything(replace(job, kept=True), seconds)


def without_model(job: Job, seconds: float) -> Run:
    """The pictures alone."""
    return _run(job, _samples(job), seconds, lambda batch: None)


def without_pictures(job: Job, seconds: float) -> Run:
    """One batch again and again."""
    batches = itertools.repeat(job.plain_batch())
    return Run(_timed(batches, job.model.step, seconds, warm_up=1))


def _samples(job: Job) -> list:
    return job.decoded() if job.kept else list(job.samples)


class Unkept:
    """Stands where the loader's cache is, and keeps nothing."""

    def __init__(self, read: Callable[[Path], bytes]) -> None:
        self.read = read

    def has(self, path: Path, min_side: int, value_range: ValueRange | None = None) -> bool:
        return False

    def get(
        self,
        path: Path,
        min_side: int,
        content: Callable[[], bytes] | None = None,
        value_range: ValueRange | None = None,
    ) -> Pixels:
        source = content() if content else self.read(path)
        return open_pixels(source, min_side=min_side, value_range=value_range)


def _run(
    job: Job,
    samples: list,
    seconds: float,
    step: Callable[[Batch], object],
    sequential: int | None = None,
) -> Run:
    loader = Loader(
        samples,
        np.zeros(len(samples), np.int64),
        job.augment,
        job.batch_size,
        seed=SEED,
        threads=job.threads,
        order=None if sequential else _long_order(len(samples), job.batch_size),
        sequential=sequential,
        cache=Unkept(job.read),
    )
    waited = [0.0]

    def stepping(batch: Batch) -> None:
        waited.append(loader.waited)
        step(batch)

    with closing(_forever(loader)) as batches:
        per_picture = _timed(batches, stepping, seconds, WARM_UP)
    timed = len(waited) - 1 - WARM_UP
    waiting = (waited[-1] - waited[WARM_UP]) / (timed * job.batch_size)
    return Run(per_picture, min(1.0, waiting / per_picture))


def _long_order(count: int, batch_size: int) -> Callable[[int], np.ndarray]:
    """Epochs so long that their ends do not show."""
    times = -(-100 * batch_size // count)

    def order(epoch: int) -> np.ndarray:
        draw = np.random.default_rng((SEED, epoch))
        return np.concatenate([draw.permutation(count) for _ in range(times)])

    return order


def _forever(loader: Loader) -> Generator[Batch, None, None]:
    for epoch in itertools.count():
        with closing(loader.epoch(epoch)) as batches:
            yield from batches


def _timed(
    batches: Iterator[Batch], step: Callable[[Batch], object], seconds: float, warm_up: int
) -> float:
    """Seconds per picture once the first batches are through."""
    for batch in itertools.islice(batches, warm_up):
        step(batch)
    started = time.perf_counter()
    pictures = done = 0
    while done < LEAST or time.perf_counter() - started < seconds:
        batch = next(batches)
        step(batch)
        pictures += len(batch)
        done += 1
    return (time.perf_counter() - started) / pictures
