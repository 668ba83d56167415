"""Weights in 8 bits: a scale per filter, and biases that make up for what rounding moved."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darter.quantize.rounding import least_squares
from darter.quantize.steps import LEAST_SCALE

TRIED = np.linspace(1.0, 0.5, 11)  # shares of a filter's largest weight that may be its range
MOST_BIAS = 2.0**30  # of a bias in its steps; 32 bits hold twice that


@dataclass(frozen=True)
class Filters:
    """q: int8, shape and axis of filters as the weights have them.   scale: float32, per filter."""

    q: NDArray[np.int8]
    scale: NDArray[np.float32]
    axis: int

    def floats(self) -> NDArray[np.float32]:
        """The weights that the quantized net multiplies by."""
        return self.q.astype(np.float32) * _along(self.scale, self.q.ndim, self.axis)


def quantized_filters(
    w: NDArray[np.float32],
    axis: int,
    *,
    bits: int = 8,
    bias: NDArray[np.float32] | None = None,
    x_scale: float = 1.0,
    moments: NDArray[np.float64] | None = None,
) -> Filters:
    """Symmetric, with a scale per filter of least squared error; the least number is not used.

    axis: of the filters.   bits: 8, or 7 for runtimes whose 8-bit products saturate.
    bias, x_scale: what is added, and the input's step: a filter's scale is wide enough that its
    bias fits 32 bits in steps of both.   moments: of the inputs, (groups, inputs, inputs), for
    weights to be rounded by least squares of the outputs; to the nearest without.
    """
    top = 2 ** (bits - 1) - 1
    rows = np.moveaxis(np.asarray(w, np.float32), axis, 0).reshape(w.shape[axis], -1)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    least = np.full(len(rows), LEAST_SCALE)
    if bias is not None:
        least = np.maximum(least, np.abs(bias) / (x_scale * MOST_BIAS))
    best, error = np.maximum(largest / top, least), np.full(len(rows), np.inf)
    for share in TRIED:
        scale = np.maximum(share * largest / top, least)
        moved = np.square(_rounded(rows, scale, top) * scale[:, None] - rows).sum(axis=1)
        better = moved < error
        best, error = np.where(better, scale, best), np.where(better, moved, error)
    scale = best.astype(np.float32)
    if moments is None:
        q = _rounded(rows, scale, top).astype(np.int8)
    else:
        by_group = rows.reshape(len(moments), -1, rows.shape[1])
        steps = scale.reshape(len(moments), -1)
        q = least_squares(by_group, steps, top, moments).astype(np.int8)
    shape = (w.shape[axis], *np.delete(w.shape, axis))
    return Filters(np.ascontiguousarray(np.moveaxis(q.reshape(shape), 0, axis)), scale, axis)


def whole_bias(bias: NDArray[np.floating], x_scale: float, scale: NDArray[np.float32]) -> NDArray:
    """A bias in steps of the input times the filter, int32, and these steps, float32."""
    step = np.float32(x_scale) * scale
    limit = 2.0**31 - 128  # a float64 below 2³¹ with room for rounding
    q = np.clip(np.rint(np.asarray(bias, np.float64) / step), -limit, limit)
    return q.astype(np.int32)


def _rounded(rows: NDArray, scale: NDArray, top: int) -> NDArray[np.float32]:
    return np.clip(np.rint(rows / scale[:, None]), -top, top)


def _along(values: NDArray, rank: int, axis: int) -> NDArray:
    return values.reshape(*(1,) * axis, -1, *(1,) * (rank - axis - 1))
