"""How much memory there is for this process, and how much of it could be had now."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from darter.machine.groups import ROOT, Group, groups


@dataclass(frozen=True)
class Memory:
    """Bytes. available: without pushing anything out but cached files; 0 and 0: unknown."""

    total: int
    available: int

    def within(self, other: "Memory") -> "Memory":
        return Memory(min(self.total, other.total), min(self.available, other.available))


def memory_now(root: Path = ROOT) -> Memory:
    """The machine's memory within the limits of control groups and of addresses."""
    found = _of_machine(root)
    for limit in (*map(_of_group, groups("memory", root)), _of_addresses(root)):
        if limit is not None:
            found = found.within(limit)
    return found


def _of_machine(root: Path) -> Memory:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        named = {name: value for name, _, value in (line.partition(":") for line in lines)}
        total, available = (int(named[n].split()[0]) for n in ("MemTotal", "MemAvailable"))
        return Memory(total << 10, available << 10)
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return Memory(0, 0)
    return Memory(total, total)


def _of_group(group: Group) -> Memory | None:
    if group.version == 2:
        # Above `high` everything is slowed down until it is below again.
        limits = [group.number("memory.max"), group.number("memory.high")]
        used, cached = group.number("memory.current"), ("inactive_file", "active_file")
    else:
        limits = [group.number("memory.limit_in_bytes")]
        used = group.number("memory.usage_in_bytes")
        cached = ("total_inactive_file", "total_active_file")
    limit = min((each for each in limits if each is not None), default=None)
    if limit is None:
        return None
    statistics = group.statistics("memory.stat")
    taken = (used or 0) - sum(statistics.get(name, 0) for name in cached)
    return Memory(limit, max(0, limit - max(0, taken)))


def _of_addresses(root: Path) -> Memory | None:
    """Under `ulimit -v` (all addresses) and `ulimit -d` (data)."""
    try:
        import resource

        pages = [int(number) for number in (root / "proc/self/statm").read_text().split()]
        limits = ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5]))
        size = resource.getpagesize()
        found = [
            Memory(limit, max(0, limit - taken * size))
            for limit, taken in ((resource.getrlimit(which)[0], taken) for which, taken in limits)
            if limit != resource.RLIM_INFINITY
        ]
    except (ImportError, OSError, ValueError, IndexError):
        return None
    return functools.reduce(Memory.within, found) if found else None
