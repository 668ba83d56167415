"""How long nets take for a picture here, measured in turn so that all meet the same machine."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np

from darter.model import Session

SECONDS = 0.6  # per net
FEWEST = 5  # runs


def milliseconds(
    runs: Mapping[str, Callable[[], object]], *, seconds: float = SECONDS
) -> dict[str, float]:
    """The median time of each, taken in turns.   runs: name -> one run."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    ends = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < ends or len(next(iter(times.values()))) < FEWEST:
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: 1e3 * median(each) for name, each in times.items()}


def one_picture(session: Session) -> Callable[[], object]:
    """A run of one picture, decoded and prepared already."""
    x = np.zeros((1, *session.info.preprocess.shape), np.float32)
    x[:] = np.random.default_rng(0).normal(size=x.shape)
    return lambda: session.run(x)
