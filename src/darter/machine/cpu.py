"""Name of the CPU, and how many of its cores this process may use."""

import os
import platform
from functools import cache
from pathlib import Path

from darter.machine.groups import ROOT, Group, groups


@cache
def cpu_name(root: Path = ROOT) -> str:
    """As its maker calls it: "AMD EPYC 9965 192-Core Processor"."""
    return _fields(root).get("model name") or platform.processor() or platform.machine()


@cache
def cpu_model(root: Path = ROOT) -> str:
    """Name, family, model and stepping, which tell CPUs of one name apart."""
    fields = _fields(root)
    parts = [fields.get(part, "") for part in ("model name", "cpu family", "model", "stepping")]
    return " ".join(parts).strip() or cpu_name(root)


def available_cpus(root: Path = ROOT) -> int:
    """Cores within the affinity mask, asked for anew, and the quota of control groups, as it was
    at first; at least 1. Half a core and more counts as one."""
    cores = _allowed()
    quota = _quota(root)
    return cores if quota is None else max(1, min(cores, int(quota + 0.5)))


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@cache
def _quota(root: Path) -> float | None:
    """Seconds of CPU time per second; None where there is no limit."""
    return min((q for q in map(_quota_of, groups("cpu", root)) if q is not None), default=None)


def _quota_of(group: Group) -> float | None:
    if group.version == 2:
        quota, _, period = group.text("cpu.max").partition(" ")
        numbers = int(quota) if quota.isdigit() else None, int(period) if period.isdigit() else None
    else:
        numbers = group.number("cpu.cfs_quota_us"), group.number("cpu.cfs_period_us")
    return numbers[0] / numbers[1] if numbers[0] and numbers[1] else None


def _fields(root: Path) -> dict[str, str]:
    try:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    named = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, colon, value in named if colon}
