"""How fast the links of a group are."""

import time

import torch
import torch.distributed as dist

from darter.distributed.link import Link

BYTES = 4 << 20
REPEATS = 5


def measure_link(link: Link) -> tuple[float, float]:
    """(latency in seconds, bandwidth in bytes per second) of the slowest way around the group.

    All members call it at the same time.
    """
    ways = 2 * (link.size - 1)
    small = _seconds(torch.zeros(1)) / ways
    large = _seconds(torch.zeros(BYTES // 4)) / ways
    return small, BYTES / link.size / max(large - small, 1e-9)


def _seconds(tensor: torch.Tensor) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        dist.barrier()
        started = time.perf_counter()
        dist.all_reduce(tensor)
        best = min(best, time.perf_counter() - started)
    return best
