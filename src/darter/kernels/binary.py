"""Arrays of +1 and -1 as bits, and convolutions of them.

Packed arrays are uint64 (N, H, W, ceil(C / 64)): channel c is bit c % 64, 1 means +1; bits past C
are 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.errors import ShapeError
from darter.kernels import _core
from darter.kernels.arrays import Floats, as_float32
from darter.kernels.convolution import blocked_shape, from_blocked, to_blocked
from darter.kernels.layout import WORD, blocks

Bits = NDArray[np.uint64]


def pack_signs(x: Floats, thresholds: Floats | None = None) -> Bits:
    """float32 (N, C, H, W) to bits, uint64 (N, H, W, ceil(C / 64)): x >= threshold.

    thresholds: (C,); 0 where none are given. Raises ShapeError for other shapes.
    """
    x = as_float32("pack_signs: x", x)
    if x.ndim != 4:
        raise ShapeError(f"pack_signs: expected (N, C, H, W), got {x.shape}")
    n, c, h, w = x.shape
    each = np.zeros(c) if thresholds is None else as_float32("pack_signs: thresholds", thresholds)
    if each.shape != (c,):
        raise ShapeError(f"pack_signs: expected {c} thresholds, got shape {each.shape}")
    bits = np.empty((n, h, w, -(-c // WORD)), np.uint64)
    filled = np.zeros(blocks(c) * 16, np.float32)
    filled[:c] = each
    _core.pack_bits(to_blocked(x), filled, bits, c)
    return bits


class BinaryConv:
    """One layer of +1 and -1: y = prelu(conv(x, sign(w)) * scale + bias + residual) + shift.

    w: float32 (K, C, R, S), of which the signs count (0 is +1).   scale, bias: (K,).
    picture: (H, W) of the input.   stride, padding (top, left, bottom, right), dilation: pixels;
    padding is zeros, which add nothing.   slope, shift: (K,), of the PRelu and after it.
    Sums are whole numbers, exact; what follows is float32, the same bits on every instruction set.
    Source: Rastegari et al., arXiv:1603.05279.
    """

    def __init__(
        self,
        w: Floats,
        picture: tuple[int, int],
        *,
        scale: Floats | None = None,
        bias: Floats | None = None,
        slope: Floats | None = None,
        shift: Floats | None = None,
        stride: tuple[int, int] = (1, 1),
        padding: Sequence[int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
    ) -> None:
        w = np.ascontiguousarray(as_float32("BinaryConv: w", w))
        self._k, self._c, *side = w.shape
        self._picture = picture
        numbers = [self._c, *picture, self._k, *side, *stride, *padding, *dilation]
        sizes = zip(picture, padding[:2], padding[2:], side, stride, dilation, strict=True)
        self._out = tuple((n + a + b - (r - 1) * d - 1) // s + 1 for n, a, b, r, s, d in sizes)
        given = zip((scale, bias, slope, shift), (1.0, 0.0, 1.0, 0.0), strict=True)
        after = [
            np.full(self._k, usual, np.float32) if one is None else as_float32("BinaryConv", one)
            for one, usual in given
        ]
        self._core = _core.binary_convolution(numbers, w, *after)

    def __call__(self, bits: Bits, residual: Floats | None = None) -> NDArray[np.float32]:
        """float32 (N, K, H', W') of packed pictures; residual: of the same shape."""
        shape = (len(bits), self._k, *self._out)
        y = np.empty(blocked_shape(shape), np.float32)
        added = None if residual is None else to_blocked(residual)
        self._core.run(bits, added, y, len(bits))
        return from_blocked(y, self._k)

    def to_bits(self, bits: Bits, thresholds: Floats) -> Bits:
        """Whether conv(x, sign(w)) * scale + bias >= threshold, packed; thresholds: (K,)."""
        self._core.compare_with(as_float32("BinaryConv: thresholds", thresholds))
        y = np.empty((len(bits), *self._out, -(-self._k // WORD)), np.uint64)
        self._core.run_to_bits(bits, y, len(bits))
        return y
