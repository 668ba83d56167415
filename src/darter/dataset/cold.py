"""Reading from the disk itself, not from the memory in which the system keeps files."""

import os
from collections.abc import Callable
from pathlib import Path

from darter.picture import locate


def read_cold(read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """`read` from the disk each time, as where the files are more than the memory can hold."""

    def cold(path: Path) -> bytes:
        forget_file(path)
        return read(path)

    return cold


def forget_file(path: Path) -> bool:
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
