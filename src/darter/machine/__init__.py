"""The machine as this process may use it: CPU, cores, memory; asked for here and nowhere else.

Limits of containers and services (control groups, versions 1 and 2), of CPU affinity and of
addresses count: on 2 of 64 cores this is a machine of 2 cores.
"""

from typing import Any

from darter.machine.allocator import keeping_freed
from darter.machine.cpu import available_cpus, cpu_model, cpu_name
from darter.machine.memory import Memory, memory_now

__all__ = [
    "Memory",
    "available_cpus",
    "cpu_model",
    "cpu_name",
    "describe",
    "keeping_freed",
    "memory_now",
]


def describe() -> dict[str, Any]:
    """For records: {"cpu": name, "cores": usable ones, "memory_gb": usable, in 10⁹ bytes}."""
    total = memory_now().total
    return {"cpu": cpu_name(), "cores": available_cpus(), "memory_gb": round(total / 1e9, 1)}
