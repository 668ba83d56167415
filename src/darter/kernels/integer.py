"""Convolutions and sums of 8-bit integers, requantized on their way from the registers.

Numbers are uint8 and stand for (q - zero) * scale. Blocked arrays are as in float32, 16 channels in
16 bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darter.errors import ShapeError
from darter.kernels import _core
from darter.kernels._core import IntegerAlgorithm, integer_algorithm
from darter.kernels.arrays import Floats, as_float32
from darter.kernels.convolution import blocked_shape
from darter.kernels.layout import BLOCK, blocks

Bytes = NDArray[np.uint8]
LARGEST_SCALE = 1e30  # of any file
MOST_PRODUCTS = (2**31 - 1) // (2 * 255 * 128)  # of one sum, its zero point apart, in 32 bits


@dataclass(frozen=True)
class Rounding:
    """To uint8: clip(round(v), low - zero, high - zero) + zero, ties to even."""

    zero: int = 0
    low: int = 0
    high: int = 255

    @property
    def limits(self) -> tuple[float, float]:
        return float(self.low - self.zero), float(self.high - self.zero)


@dataclass(frozen=True)
class Residual:
    """y = round(own * (q - its zero) + other * (r - zero)), as `to` rounds.

    q is what the convolution itself has been rounded to, r what is added.   own_first: whether q is
    the first of the sum's numbers; see `add_integers`.
    """

    own: float
    other: float
    zero: int
    to: Rounding
    own_first: bool = True

    def numbers(self, own: Rounding) -> list[float]:
        """As the core takes them."""
        order = 1 if self.own_first else -1
        zeros, scales = [own.zero, self.zero][::order], [self.own, self.other][::order]
        fixed, *factors, low, high = sum_numbers(zeros, scales, self.to)
        return [*factors[::order], fixed, low, high, float(self.own_first)]


def sum_numbers(zeros: Sequence[int], scales: Sequence[float], to: Rounding) -> list[float]:
    """What the core takes for a sum of two integers: a constant, the factors, the limits."""
    first, other = np.clip(scales, 0, LARGEST_SCALE).astype(np.float32)
    other_moved = float(other * np.float32(zeros[1]))
    fixed = np.float32(to.zero) - np.float32(float(first) * zeros[0] + other_moved)
    return [float(fixed), float(first), float(other), float(to.low), float(to.high)]


class IntegerConv:
    """One layer: round(scale * (conv(x - x_zero, w) + bias)), then the residual where there is one.

    w: int8 (K, C / groups, R, S).   picture: (H, W).   bias: int32 (K,), in units of the sums.
    scale: (K,), float32.   to: how it is rounded; None: not at all, results are float32.
    groups: 1, or C = K.   stride, padding (top, left, bottom, right; filled with x_zero), dilation:
    pixels. Sums are exact; the same bits on every instruction set and by every algorithm.
    algorithm: "direct"; "winograd", F(4x4, 3x3), for 3x3 filters of stride 1 whose sums are below
    2^25, direct elsewhere; None: what is likely faster for one picture. `algorithm` tells which.
    Raises ShapeError where a sum of so many products may not fit 32 bits.
    """

    def __init__(
        self,
        w: NDArray[np.int8],
        picture: tuple[int, int],
        *,
        scale: Floats,
        bias: NDArray[np.int32],
        x_zero: int,
        to: Rounding | None,
        residual: Residual | None = None,
        stride: tuple[int, int] = (1, 1),
        padding: Sequence[int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        algorithm: str | None = None,
    ) -> None:
        w = np.ascontiguousarray(w, np.int8)
        if w[0].size > MOST_PRODUCTS:
            raise ShapeError(
                f"IntegerConv: a sum of {w[0].size} products may not fit 32 bits; "
                f"{MOST_PRODUCTS} do"
            )
        self._k, each, *side = w.shape
        self._c, self._picture, self._to = each * groups, picture, to
        numbers = [self._c, *picture, self._k, *side, *stride, *padding, *dilation, groups]
        sizes = zip(picture, padding[:2], padding[2:], side, stride, dilation, strict=True)
        self._out = tuple((n + a + b - (r - 1) * d - 1) // s + 1 for n, a, b, r, s, d in sizes)
        limits = [*(to or Rounding()).limits, float((to or Rounding()).zero)]
        added = None
        if residual is not None:
            assert to is not None, "what is added to is rounded"
            added = residual.numbers(to)
        factors = as_float32("IntegerConv: scale", scale).ravel().tolist()
        sums = np.ascontiguousarray(bias, np.int32)
        by = IntegerAlgorithm[algorithm] if algorithm else integer_algorithm(numbers, 1)
        self._core = _core.integer_convolution(
            numbers, w, sums, x_zero, factors, limits, to is None, added, by
        )
        self.algorithm = self._core.algorithm.name

    def __call__(self, x: Bytes, residual: Bytes | None = None) -> Bytes | NDArray[np.float32]:
        """uint8 (N, K, H', W'), or float32, of uint8 (N, C, H, W); residual: of y's shape."""
        if x.shape[1:] != (self._c, *self._picture):
            raise ShapeError(
                f"IntegerConv: expected (N, {self._c}, *{self._picture}), got {x.shape}"
            )
        shape = blocked_shape((len(x), self._k, *self._out))
        added = None if residual is None else integers_to_blocked(residual)
        y: Bytes | NDArray[np.float32]
        if self._to is None:
            floats = y = np.full(shape, np.nan, np.float32)
            self._core.run_to_float(integers_to_blocked(x), floats, added, len(x))
        else:
            whole = y = np.full(shape, 170, np.uint8)
            self._core.run(integers_to_blocked(x), whole, added, len(x))
        n, count, h, w, _ = shape
        return y.transpose(0, 1, 4, 2, 3).reshape(n, count * BLOCK, h, w)[:, : self._k].copy()


def integers_to_blocked(x: Bytes) -> Bytes:
    """uint8 (N, C, H, W) in blocks of 16 channels; missing ones are 0."""
    n, c, h, w = x.shape
    padded = np.zeros((n, blocks(c) * BLOCK, h, w), np.uint8)
    padded[:, :c] = x
    parts = padded.reshape(n, blocks(c), BLOCK, h, w)
    return np.ascontiguousarray(parts.transpose(0, 1, 3, 4, 2))


def add_integers(
    a: Bytes, b: Bytes, *, zeros: tuple[int, int], scales: tuple[float, float], to: Rounding
) -> Bytes:
    """round((a - zeros[0]) * scales[0] + (b - zeros[1]) * scales[1]), uint8 of a's shape.

    a, b: uint8 of one shape, else ShapeError.   scales: in steps of y.

    As ONNX Runtime does on CPUs with AVX2, so that ties are the same ties: the zero points come
    first, b next, a last, products are not rounded, and y's zero point is in what is.
    """
    if a.shape != b.shape:
        raise ShapeError(f"add_integers: shapes must be the same, got {a.shape} and {b.shape}")
    y = np.full(a.shape, 170, np.uint8)
    numbers = sum_numbers(zeros, scales, to)
    _core.add_integers(np.ascontiguousarray(a), np.ascontiguousarray(b), y, numbers)
    return y


def quantize(x: Floats, step: float, to: Rounding) -> Bytes:
    """round(x / step), as ONNX's QuantizeLinear; what is no number becomes the least."""
    x = as_float32("quantize: x", x)
    q = np.full(x.shape, 170, np.uint8)
    _core.quantize(np.ascontiguousarray(x), q, step, *to.limits, float(to.zero))
    return q


def dequantize(q: Bytes, scale: float, zero: int) -> NDArray[np.float32]:
    """(q - zero) * scale, float32 of q's shape. q: uint8 or int8 of any shape."""
    x = np.full(q.shape, np.nan, np.float32)
    _core.dequantize(np.ascontiguousarray(q), x, scale, float(zero))
    return x
