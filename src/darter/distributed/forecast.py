"""What several processes would reach, from what was measured: pictures per second of each scheme.

`bench/scale.py` holds these formulas against a simulation with stragglers and failures,
and against real runs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from darter.distributed.local import MOST_ROUND, round_length
from darter.distributed.shares import parts_for

WORTH_IT = 1.15  # several processes must be this many times faster than one
PARTS = 2  # parts of a batch in a pipeline, for each process


@dataclass(frozen=True)
class Measured:
    """step: seconds of one process for a batch of `pictures`.   spread: of steps, as a share of
    their mean.   size: bytes of what is learned.   latency: seconds from process to process.
    bandwidth: bytes per second of the slowest link, one way.   exchanges: per step, of statistics
    of norms, where they are taken over the whole batch.   activations: bytes of a batch at a cut.
    part: seconds of one process for one part of a batch in a pipeline; 0: its share of `step`.
    alone: seconds of a step of one process that has all cores of its machine; 0: as `step`.
    """

    step: float
    pictures: int
    size: int
    latency: float
    bandwidth: float
    spread: float = 0.05
    exchanges: int = 0
    activations: int = 0
    alone: float = 0.0
    part: float = 0.0


def ring(m: Measured, n: int, size: float) -> float:
    """Seconds of a ring all-reduce. Source: Patarasuk & Yuan, 2009."""
    return 2 * (n - 1) * (m.latency + size / n / m.bandwidth)


def slowest(m: Measured, n: int, steps: int = 1) -> float:
    """How many times its mean the slowest of n takes for so many steps, about (normal spread)."""
    return 1 + m.spread / math.sqrt(steps) * math.sqrt(2 * math.log(max(1, n)))


def alone(m: Measured, n: int) -> float:
    return m.pictures / (m.alone or m.step)


def sync(m: Measured, n: int) -> float:
    """A command, a part of the batch, the gradients, and two figures for the record."""
    spent = m.step / n * slowest(m, n) + ring(m, n, m.size) + ring(m, n, 16) + m.latency
    return m.pictures / (spent + m.exchanges * (n - 1) * m.latency)


def sync16(m: Measured, n: int) -> float:
    """As `sync`, with gradients of two bytes."""
    return sync(replace(m, size=m.size // 2), n)


def rounds(m: Measured, n: int) -> int:
    """H of local rounds."""
    return round_length(ring(m, n, m.size), m.step)


def local(m: Measured, n: int, most: int = MOST_ROUND) -> float:
    """most: steps of a process in an epoch, at whose end all exchange."""
    steps = min(rounds(m, n), most)
    spent = steps * m.step * slowest(m, n, steps) + ring(m, n, m.size) + m.latency
    return n * steps * m.pictures / spent


def downpour(m: Measured, n: int) -> float:
    """Each worker by itself, with parts of batches, until the servers' link is full."""
    parts = parts_for(m.pictures, n)
    by_itself = m.step / parts + 2 * m.size / m.bandwidth + 4 * m.latency
    return m.pictures / parts * min(n / by_itself, m.bandwidth / m.size)


def pipeline(m: Measured, n: int) -> float:
    """Parts of a batch on their way, forward and back; at its ends some processes wait.

    Small parts compute less well than a whole batch, and what passes is not hidden.
    """
    parts = PARTS * n
    passing = 2 * (m.activations / parts / m.bandwidth + m.latency) * (n > 1)
    computing = (m.part or m.step / parts) / n * slowest(m, n)
    return m.pictures / ((parts + n - 1) * (computing + passing))


FORECASTS: dict[str, Callable[[Measured, int], float]] = {
    "alone": alone,
    "sync": sync,
    "sync16": sync16,
    "local": local,
    "async": downpour,
    "pipeline": pipeline,
}


def choose(m: Measured, n: int, seconds: float = math.inf, start: float = 0.0) -> tuple[str, str]:
    """The scheme that "auto" takes, and a sentence with the reason.

    seconds: that the training takes alone.   start: that it takes until all are there.
    Only what trains as one process does is chosen: "sync", or "local" for slow links.
    """
    one = alone(m, n)
    best = "local" if local(m, n) > WORTH_IT * sync(m, n) else "sync"
    gain = FORECASTS[best](m, n) / one
    if gain < WORTH_IT:
        return "alone", (
            f"one process: {one:.0f} pictures/s; {n} would reach {gain * one:.0f} by {best!r}"
        )
    if start + seconds / gain > seconds / WORTH_IT:
        return "alone", (
            f"one process: it needs {seconds:.0f} s, less than starting {n} would save"
        )
    rest = ", ".join(f"{name} {FORECASTS[name](m, n):.0f}" for name in ("alone", "sync", "local"))
    return best, f"{best}: {n} processes are expected to train on (pictures/s) {rest}"
