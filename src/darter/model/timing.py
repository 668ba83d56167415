"""How long runs take, each timed in turn with the others, so that all meet the same machine."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)
FEWEST = 5  # runs


def in_turns(
    runs: Mapping[Name, Callable[[], object]],
    *,
    seconds: float,
    fewest: int = FEWEST,
    warm: bool = False,
) -> dict[Name, list[float]]:
    """Milliseconds of every run of each: A B A B …, as another program may slow a machine down for
    a while, and would slow only one of them if each had its own stretch.

    seconds: for each, about.   fewest: runs of each, at least.
    warm: before each timed run goes one that is not timed, since the others have taken the caches.
    """
    for run in runs.values():
        run()
    times: dict[Name, list[float]] = {name: [] for name in runs}
    ends = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < ends or min(map(len, times.values())) < fewest:
        for name, run in runs.items():
            if warm:
                run()
            started = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - started))
    return times
