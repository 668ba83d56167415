"""How much memory there is, and how much the job takes."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from darter.dataset import default_bytes


@dataclass(frozen=True)
class Memory:
    """Bytes. total, free: of this machine (0: unknown); peak: of this process so far;
    for_pictures: what the loader may keep of decoded pictures; decoded: all of them."""

    total: int
    free: int
    peak: int
    for_pictures: int
    decoded: int

    @property
    def keeps_all(self) -> bool:
        """Whether all pictures are decoded once and then stay in memory."""
        return self.decoded <= self.for_pictures

    @property
    def is_short(self) -> bool:
        """Whether less is free than a quarter of what the process has taken: it may be stopped."""
        return self.total > 0 and self.free < self.peak / 4


def measure_memory(decoded: float, limit: int | None = None) -> Memory:
    """limit: bytes for decoded pictures, None for the loader's own choice."""
    total, free = _machine()
    kept = default_bytes() if limit is None else limit
    return Memory(total, free, _peak(), kept, int(decoded))


def _machine() -> tuple[int, int]:
    """(total, free); free counts what the system would give back."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        entries = {key: int(rest.split()[0]) << 10 for key, rest in (s.split(":") for s in lines)}
        return _within_limit(entries["MemTotal"], entries["MemAvailable"])
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0, 0
    return total, total


def _within_limit(total: int, free: int) -> tuple[int, int]:
    """The same under a container's limit (cgroup 2)."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return total, free
    if not limit.isdigit():
        return total, free
    return min(total, int(limit)), max(0, min(free, int(limit) - used))


def _peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
