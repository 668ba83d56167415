"""From values of an activation to the range it is quantized over: one visible table.

A wide range has coarse steps, a narrow one saturates; the methods differ in how they weigh that.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darter.quantize.steps import LEVELS, Range

BINS = 2048
PERCENT = 99.99
SHRUNK = 32  # ranges that `mse` tries on each side


@dataclass(frozen=True)
class Observed:
    """What calibration saw of a tensor.

    low, high: over all of its values.   values: some of them, drawn evenly, float32.
    """

    low: float
    high: float
    values: NDArray[np.float32]


def min_max(seen: Observed) -> Range:
    """All that was seen."""
    return Range(seen.low, seen.high)


def percentile(seen: Observed) -> Range:
    """All but the outermost: 0.01% of the values, shared by both sides where there are two."""
    outer = 100 - PERCENT
    if seen.low >= 0:
        return Range(0.0, float(np.percentile(seen.values, PERCENT)))
    low, high = np.percentile(seen.values, (outer / 2, 100 - outer / 2))
    return Range(float(low), float(high))


def mse(seen: Observed) -> Range:
    """The least mean squared error of rounding and saturation together."""
    counts, middles = _histogram(seen)
    shares = np.linspace(1.0, 1 / SHRUNK, SHRUNK)
    lows = [0.0] if seen.low >= 0 else [float(share * seen.low) for share in shares]
    highs = [0.0] if seen.high <= 0 else [float(share * seen.high) for share in shares]

    def error(low: float, high: float) -> float:
        rounded = Range(low, high).steps().rounded(middles)
        return float(counts @ np.square(rounded - middles))

    low, high = lows[0], highs[0]
    for _ in range(2):  # one side after the other, twice
        high = min(highs, key=lambda each: error(low, each))
        low = min(lows, key=lambda each: error(each, high))
    return Range(low, high)


def entropy(seen: Observed) -> Range:
    """The least Kullback-Leibler divergence of the quantized histogram of |x| from the true one.

    Source: Migacz, "8-bit inference with TensorRT", GTC 2017.
    """
    size = np.abs(seen.values[seen.values != 0])  # 0 is kept exactly, and would outweigh all else
    top = float(max(abs(seen.low), abs(seen.high)))
    if top <= 0:
        return Range(0.0, 0.0)
    counts = np.histogram(size, BINS, (0, top))[0].astype(np.float64)
    kept = range(LEVELS + 1, BINS + 1, 8)
    limit = top / BINS * min(kept, key=lambda number: _divergence(counts, number))
    return Range(max(-limit, seen.low), min(limit, seen.high))


def _divergence(counts: NDArray[np.float64], kept: int) -> float:
    """Of the first `kept` bins joined to 256 levels from themselves, outliers in the last bin."""
    true = counts[:kept].copy()
    true[-1] += counts[kept:].sum()
    starts = np.arange(LEVELS + 1) * kept // (LEVELS + 1)
    level = np.repeat(np.arange(LEVELS + 1), np.diff([*starts, kept]))
    filled = counts[:kept] > 0
    sums = np.bincount(level, counts[:kept], LEVELS + 1)
    bins = np.maximum(np.bincount(level, filled, LEVELS + 1), 1)
    joined = (sums / bins)[level] * filled
    total = joined.sum()
    if not total:
        return float("inf")
    p, q = true / true.sum(), joined / total
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], 1e-9))).sum())


METHODS: dict[str, Callable[[Observed], Range]] = {
    "min-max": min_max,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}


def _histogram(seen: Observed) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts and middles of bins from the least value to the largest."""
    low = seen.low
    high = max(seen.high, low + max(1e-6 * abs(low), 1e-12))  # a constant has bins, too
    counts, edges = np.histogram(seen.values.astype(np.float64), BINS, (low, high))
    return counts.astype(np.float64), (edges[1:] + edges[:-1]) / 2
