"""Why a run took longer than it was given: a stage of it, or a computer that was busy otherwise."""

import time
from dataclasses import dataclass, field
from typing import Any

LATE = 1.05  # of the time that was given
STARVED = 0.7  # cores; whoever is not made to wait computes on one at the least


@dataclass(frozen=True)
class Effort:
    """How much this process computes from now on."""

    begun: float = field(default_factory=time.monotonic)
    computed: float = field(default_factory=time.process_time)

    def cores(self) -> float:
        """On how many cores it has computed since then, on average."""
        passed = time.monotonic() - self.begun
        return (time.process_time() - self.computed) / max(passed, 1e-9)


def lateness(given: float, spent: float, stages: dict[str, Any], cores: float | None) -> str | None:
    """What to say of a run that took `spent` seconds in place of `given`; None if it was in time.

    stages: seconds of each.   cores: on how many this process computed on average; None where
    others computed for it.
    """
    if spent <= LATE * given:
        return None
    name, seconds = max(stages.items(), key=lambda stage: stage[1])
    said = f"took {spent:.0f} s instead of {given:.0f} s; "
    if cores is not None and cores < STARVED:
        return said + (
            f"since it was started it could compute in {cores:.0%} of the time and waited for the "
            "rest: other programs had the processors, or the disk is slow."
        )
    return said + (
        f"the longest stage was {name} with {seconds:.0f} s. Give more time, or a smaller size."
    )
