"""What each part costs on one thread, by itself."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darter.doctor.job import SEED, Job
from darter.picture import locate

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
    forgotten = [_forget(path) for path in paths]
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


def read_cold(read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """`read` from the disk each time, as where the files are more than the memory can hold."""

    def cold(path: Path) -> bytes:
        _forget(path)
        return read(path)

    return cold


def _forget(path: Path) -> bool:
    """Ask the system to drop a file from its memory; False where that cannot be asked."""
    if not hasattr(os, "posix_fadvise"):
        return False
    try:
        member = None if path.exists() else locate(path)
        file = path if member is None else member.shard
        start, length = (0, 0) if member is None else (member.offset, member.size)
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return True


def _seconds(work: Callable, items) -> float:
    """Best of two passes, so that a busy moment does not count."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        for item in items:
            work(item)
        best = min(best, (time.perf_counter() - began) / len(items))
    return best
