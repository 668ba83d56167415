"""The C library's allocator, told to keep what is freed."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from darter.machine.memory import memory_now

PLENTY = 10 << 30  # bytes that must be there to be had: kept buffers of all sizes leave gaps

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # names of <malloc.h>
_LARGEST = 32 << 20  # the most that glibc takes as a threshold
_KEEP = {_MMAP_THRESHOLD: _LARGEST, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
_KEEP_ALL = _KEEP | {_MMAP_MAX: 0}
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 128 << 10, _TRIM_THRESHOLD: 128 << 10, _TOP_PAD: 0}
_depth = 0


@contextmanager
def keeping_freed() -> Iterator[None]:
    """Within the block, buffers that are freed stay with the process for the next ones.

    glibc gives large ones back to the kernel, which clears their pages again in every step of a
    training. Kept up to 32 MiB, they take no more memory at most; of all sizes some more, so only
    where PLENTY is available (`bench/freed_memory.py`). What was kept is given back at the end of
    the outermost block. Other C libraries are left alone.
    """
    global _depth
    libc = _glibc()
    if libc is None:
        yield
        return
    _depth += 1
    try:
        if _depth == 1:
            _tell(libc, _KEEP_ALL if memory_now().available >= PLENTY else _KEEP)
        yield
    finally:
        _depth -= 1
        if not _depth:
            _tell(libc, _USUAL)
            libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL("libc.so.6") if platform.libc_ver()[0] == "glibc" else None


def _tell(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for name, value in options.items():
        libc.mallopt(name, value)
