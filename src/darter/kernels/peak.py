"""What this machine can do at most, with the active instruction set and number of threads."""

from dataclasses import dataclass

from darter.kernels import _core
from darter.kernels.runtime import active_isa, threads


@dataclass(frozen=True)
class Peak:
    """gflops: independent float32 multiply-adds, one is 2 FLOPs.   gigabytes: read per second from
    memory beyond the caches."""

    isa: str
    threads: int
    gflops: float
    gigabytes: float


def measure_peak() -> Peak:
    """Measure both limits; takes about a quarter of a second."""
    return Peak(active_isa(), threads(), _core.peak_gflops(), _core.read_gigabytes())
