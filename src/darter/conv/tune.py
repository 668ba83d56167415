"""Which algorithm is fastest for a shape on this machine, by timing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from statistics import median

import numpy as np

from darter.conv.algorithms import ALGORITHMS
from darter.conv.choice import MAX_ERROR, admitted, nothing_admitted
from darter.conv.prepared import prepare
from darter.conv.remembered import remember
from darter.conv.spec import ConvSpec
from darter.errors import OptionError, UnsupportedError
from darter.kernels import blocked_shape, threads, wake_threads

LARGER_THAN_CACHES = 64 << 20  # bytes
LEAST_RUNS = 3  # of every algorithm
HOPELESS = 3.0  # times the best: fewer turns
TURN_OF_HOPELESS = 8  # one in so many: those whose first runs were disturbed recover


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one algorithm on one shape (of CPU time, with one thread).

    gflops counts the direct algorithm's FLOPs.
    """

    algorithm: str
    low: float
    middle: float
    high: float
    gflops: float


def autotune(
    spec: ConvSpec,
    *,
    only: Sequence[str] | None = None,
    max_error: float = MAX_ERROR,
    max_memory: int | None = None,
    seconds: float = 1.0,
    cold: bool = True,
    keep: bool = True,
) -> list[Timing]:
    """Time the algorithms that shape, budget and cap allow, fastest first.

    only: names to time; None leaves out what is estimated at eight times the best or more (a
    Fourier transform of 512x512 small filters would fill gigabytes).   seconds: to spend, about.
    cold: as in a net, weights are out of the caches before each run; x, code and scratch memory are
    in, and threads are awake.
    Algorithms take turns, so that a slow second of the machine hits all of them; one that is three
    times slower than the best takes every eighth turn.
    keep: remember the times in a file below $DARTER_CACHE (else the user's cache folder, under
    darter/conv; delete it to forget). `prepare`, `choose` and the engine use them from then on, in
    other processes too, and so may round differently than before.
    Raises UnsupportedError if nothing is allowed, OptionError for an unknown name.
    """
    names, refused = admitted(spec, max_error=max_error, max_memory=max_memory)
    _check_request(spec, only, seconds)
    if not names:
        raise nothing_admitted(spec, refused)
    if only is None:
        names = _promising(spec, names)
    elif not set(only) & set(names):
        why = "; ".join(f"{name} {refused[name]}" for name in only)
        raise UnsupportedError(f"nothing to time for {spec}: {why}")
    else:
        names = [name for name in names if name in only]
    rng = np.random.default_rng(0)
    w = rng.standard_normal(spec.w, np.float32)
    # Ones: untouched zeros would all be the same page of memory.
    evicting = np.ones(LARGER_THAN_CACHES // 8, np.int64) if cold else None
    runs = {name: _Run(spec, w, name, rng, evicting) for name in names}
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < LEAST_RUNS or time.perf_counter() < end:
        best = min((min(run.times) for run in runs.values() if run.times), default=np.inf)
        everyone = rounds < LEAST_RUNS or rounds % TURN_OF_HOPELESS == 0
        for run in runs.values():
            if everyone or min(run.times) < HOPELESS * best:
                run.time_once()
        rounds += 1
    timings = [run.summary(name) for name, run in runs.items()]
    if keep:
        remember(spec, {timing.algorithm: timing.middle for timing in timings})
    return sorted(timings, key=lambda timing: timing.middle)


def now() -> float:
    """Seconds; with one thread of CPU time, which a busy machine disturbs least."""
    return time.process_time() if threads() == 1 else time.perf_counter()


def _check_request(spec: ConvSpec, only: Sequence[str] | None, seconds: float) -> None:
    if only is not None and (isinstance(only, str) or not only):
        raise OptionError(f"only: expected a list of names such as ['direct'], got {only!r}")
    for name in only or ():
        if name not in ALGORITHMS:
            raise OptionError(f"unknown algorithm {name!r}; choose from {', '.join(ALGORITHMS)}")
    if not isinstance(seconds, Real) or not 0 < seconds < np.inf:
        raise OptionError(f"seconds: expected a number above 0, got {seconds!r}")
    if spec.x[0] == 0:
        raise OptionError(f"{spec} has no pictures to time")


def _promising(spec: ConvSpec, names: list[str]) -> list[str]:
    cycles = {name: ALGORITHMS[name].estimate(spec, threads()) for name in names}
    return [name for name in names if cycles[name] < 8 * min(cycles.values())]


class _Run:
    """One algorithm on one shape.   evicting: what to read so that the caches hold nothing else."""

    def __init__(
        self,
        spec: ConvSpec,
        w: np.ndarray,
        algorithm: str,
        rng: np.random.Generator,
        evicting: np.ndarray | None,
    ) -> None:
        self.layer = prepare(spec, w, algorithm=algorithm)
        self.evicting = evicting
        # Plays the layer before, with weights of its own.
        self.before = self.layer if evicting is None else prepare(spec, w, algorithm=algorithm)
        x_layout, y_layout = self.layer.prefers
        x, y = spec.x, spec.y
        self.x = rng.standard_normal(x if x_layout == "plain" else blocked_shape(x), np.float32)
        self.y = np.zeros(y if y_layout == "plain" else blocked_shape(y), np.float32)
        self.times: list[float] = []

    def time_once(self) -> None:
        if self.evicting is not None:
            self.evicting.max()
        wake_threads()
        self.before(self.x, self.y)
        start = now()
        self.layer(self.x, self.y)
        self.times.append(now() - start)

    def summary(self, name: str) -> Timing:
        """Runs far slower than the best were disturbed by others: they are dropped."""
        kept = sorted(t for t in self.times if t <= 1.5 * min(self.times))
        low, middle, high = (1e3 * t for t in (kept[0], median(kept), kept[-1]))
        return Timing(name, low, middle, high, 2e-6 * self.layer.spec.multiply_adds / middle)
