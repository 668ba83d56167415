"""What each part costs on one thread, by itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darter.dataset import forget_file
from darter.doctor.job import SEED, Job

COUNT = 48  # pictures looked at


@dataclass(frozen=True)
class Parts:
    """Seconds per picture on one thread. read_cold: from the disk, None where the system does not
    let go of files; bytes: mean size of a file; side: mean long side in pixels, as stored."""

    read_cold: float | None
    read_cached: float
    decode: float
    augment: float
    bytes: float
    side: float
    decoded_bytes: float


def measure_parts(job: Job) -> Parts:
    """Time reading, decoding and augmenting, one picture after the other."""
    paths = job.samples[:COUNT]
    forgotten = [forget_file(path) for path in paths]
    began = time.perf_counter()
    contents = [job.read(path) for path in paths]
    first = (time.perf_counter() - began) / len(paths)
    cached = _seconds(job.read, paths)
    pictures = [job.decode(c, job.augment.min_side) for c in contents]
    decoding = _seconds(lambda c: job.decode(c, job.augment.min_side), contents)
    slot = np.empty((3, job.augment.size, job.augment.size), np.float32)
    augmenting = _seconds(
        lambda numbered: job.augment.write(numbered[1].pixels, slot, SEED, 0, numbered[0]),
        list(enumerate(pictures)),
    )
    return Parts(
        read_cold=first if all(forgotten) else None,
        read_cached=cached,
        decode=decoding,
        augment=augmenting,
        bytes=float(np.mean([len(c) for c in contents])),
        side=float(np.mean([max(p.size) for p in pictures])),
        decoded_bytes=float(np.mean([p.pixels.nbytes for p in pictures])),
    )


def _seconds(work: Callable, items) -> float:
    """Best of two passes, so that a busy moment does not count."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        for item in items:
            work(item)
        best = min(best, (time.perf_counter() - began) / len(items))
    return best
