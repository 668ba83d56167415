"""How much memory there is, and how much the job takes."""

import sys
from dataclasses import dataclass

from darter.dataset import default_bytes
from darter.machine import memory_now


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
    memory = memory_now()
    kept = default_bytes() if limit is None else limit
    return Memory(memory.total, memory.available, _peak(), kept, int(decoded))


def _peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
