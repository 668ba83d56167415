"""The C library's allocator, told to keep what is freed."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from darter.machine.memory import memory_now

PLENTY = 8 << 30  # bytes that must be there to be had: what is kept has gaps, and takes more

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # names of <malloc.h>
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
# What glibc's thresholds grow to as large buffers are freed; once told anything, they no longer do.
_USUAL = {
    _MMAP_MAX: 65536,
    _MMAP_THRESHOLD: 32 << 20,
    _TRIM_THRESHOLD: 64 << 20,
    _TOP_PAD: 128 << 10,
}
_depth = 0


@contextmanager
def keeping_freed() -> Iterator[bool]:
    """Within the block, large buffers that are freed stay with the process for the next ones.

    glibc maps every buffer over 32 MiB anew and gives it back when it is freed, so that the kernel
    clears the same pages in every step of a training. Kept, they cost memory and no time
    (`bench/freed_memory.py`). Yields whether they are: not on other C libraries, and not where
    less than PLENTY is available. What was kept is given back at the end of the outermost block.
    """
    global _depth
    libc = _glibc()
    if libc is None or (not _depth and memory_now().available < PLENTY):
        yield False
        return
    _depth += 1
    try:
        if _depth == 1:
            _tell(libc, _KEEP)
        yield True
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
