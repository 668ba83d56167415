"""Filters of a quantized file as integers again: their steps are found in their float32 numbers."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOSTS = (127, 128, *range(126, 0, -1))  # steps that the largest weight of a filter may have
WHOLE = 1e-4  # how far a weight in steps may lie from a whole number: float32's own rounding
BIAS_ERROR = 1e-3  # of a step of the result
MOST_SUM = 2**31 - 1
AT_ONCE = 1 << 20  # weights
PROBE = 64  # weights of a filter that are tried before all of it

Floats = NDArray[np.float32]
Arrays = tuple[NDArray[Any], ...]


def in_steps(w: Floats, b: Floats, x_scale: float, y_step: float) -> Arrays | None:
    """Filters (int8), biases (int32) in units of the sums, and what makes these steps of y; None
    where the numbers are not such integers, or their sums may not fit 32 bits.

    What makes steps of y is rounded as ONNX Runtime rounds it, so that ties are the same ties.
    """
    if not np.isfinite(b).all():
        return None
    steps = filter_steps(w.reshape(len(w), -1))
    if steps is None:
        return None
    whole = np.empty(w.shape, np.int8)
    sums = np.empty(len(w))
    for part in _parts(w):
        q = np.rint(w[part] / steps[part].reshape(-1, *(1,) * (w.ndim - 1)))
        whole[part], sums[part] = q, np.abs(q).reshape(len(q), -1).sum(axis=1, dtype=np.float64)
    with np.errstate(all="ignore"):  # of any file
        only_bias = (sums == 0) & (b != 0)
        steps = np.where(only_bias, np.abs(b) / np.float32(x_scale * 2.0**30), steps)
        unit = steps * np.float32(x_scale)
        factors = unit / np.float32(y_step)
        bias = b.astype(np.float64) / unit
        error = np.abs(bias - np.rint(bias)) * factors
        fits = (np.abs(bias) + 2 * 255 * sums < MOST_SUM) & (error <= BIAS_ERROR)
    usual = (factors > np.finfo(np.float32).tiny) & (factors < 1e30)
    if not (fits & usual).all():
        return None
    return whole, np.rint(bias).astype(np.int32), factors


def filter_steps(rows: Floats) -> Floats | None:
    """Of each row a step of which all its numbers are whole multiples, from -128 to 127 times; None
    where a row has none. One step for all rows is tried first, then the largest of each as 127."""
    largest = np.zeros(len(rows), np.float32)
    for part in _parts(rows):
        largest[part] = np.abs(rows[part]).max(axis=1)
    if not np.isfinite(largest).all():
        return None
    for step in _near(largest.max(initial=0) / np.float32(MOSTS[0])):
        if step > 0 and all(_exact(rows[part], step).all() for part in _parts(rows)):
            return np.full(len(rows), step)
    steps = [_own_steps(rows[part], largest[part]) for part in _parts(rows)]
    found = [each for each in steps if each is not None]
    return np.concatenate(found) if len(found) == len(steps) else None


def _own_steps(rows: Floats, largest: Floats) -> Floats | None:
    """Steps that give the rows to the bit are preferred to those that give them nearly."""
    steps = np.ones(len(rows), np.float32)
    left = np.flatnonzero(largest)
    for exactly, most in itertools.product((True, False), MOSTS):
        if not left.size:
            return steps
        step = largest[left] / np.float32(most)
        fits = _whole(rows[left, :PROBE], step)
        likely = left[fits]
        fits[fits] = _whole(rows[likely], step[fits])
        if exactly:
            found = np.zeros(len(step), bool)
            for near in _near(step):
                open_ = fits & ~found
                exact = _exact(rows[left[open_]], near[open_, None])
                found[open_] = exact
                step[open_] = np.where(exact, near[open_], step[open_])
            fits = found
        steps[left[fits]] = step[fits]
        left = left[~fits]
    return None if left.size else steps


def _whole(rows: Floats, steps: Floats) -> NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        multiples = rows / steps[:, None]
        nearest = np.rint(multiples)
        return ((np.abs(multiples - nearest) <= WHOLE) & (nearest <= MOSTS[0])).all(axis=1)


def _exact(rows: Floats, steps: Any) -> NDArray[np.bool_]:
    """Which rows are whole numbers times their step, rounded once, as files are read."""
    with np.errstate(all="ignore"):
        return (np.rint(rows / steps) * steps == rows).all(axis=1)


def _near(step: Any) -> tuple[Any, Any, Any]:
    return step, np.nextafter(step, np.float32(np.inf)), np.nextafter(step, np.float32(0))


def _parts(rows: NDArray[Any]) -> Iterator[slice]:
    """Slices of so many filters that what is made of them is small."""
    count = max(1, AT_ONCE // max(1, rows[0].size)) if len(rows) else 1
    for first in range(0, len(rows), count):
        yield slice(first, first + count)
