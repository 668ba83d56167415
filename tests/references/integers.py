"""Arithmetic of 8-bit integers, plainly: sums in 64 bits, what follows them in float32."""

import numpy as np

from tests.references.net import conv


def rounded(v, to):
    """float32 to uint8: clipped, rounded with ties to even, moved to the zero point."""
    low, high = (np.float32(limit) for limit in to.limits)
    return (np.rint(np.clip(v, low, high)) + np.float32(to.zero)).astype(np.uint8)


def convolution(x, w, bias, scale, x_zero, to, window, residual=None, added=None):
    """What `IntegerConv` computes; residual: its parameters, added: the uint8 array."""
    given = {**window, "border": "zeros", "activation": None}
    centered = x.astype(np.int64) - x_zero
    sums = conv(given, centered, w.astype(np.int64), np.zeros(len(w), np.int64))
    sums = sums + bias.astype(np.int64)[:, None, None]
    assert np.abs(sums).max(initial=0) < 2**31
    v = sums.astype(np.float32) * scale[:, None, None]
    if to is None:
        return v
    q = rounded(v, to)
    if residual is None:
        return q
    pair = [(q, to.zero, residual.own), (added, residual.zero, residual.other)]
    if not residual.own_first:
        pair.reverse()
    (a, b), zeros, scales = zip(*pair, strict=True)
    return add(a, b, zeros, scales, residual.to)


def add(a, b, zeros, scales, to):
    """As ONNX Runtime: the zero points, then b, then a; products are not rounded."""
    factors = [np.float32(scale) for scale in scales]
    moved = fused(np.array(zeros[0]), factors[0], factors[1] * np.float32(zeros[1]))
    fixed = np.float32(to.zero) - moved
    v = fused(a, factors[0], fused(b, factors[1], fixed))
    return np.rint(np.clip(v, to.low, to.high)).astype(np.uint8)


def fused(a, b, c):
    """a * b + c, rounded once: of a byte and float32 numbers, in float64."""
    return (a.astype(np.float64) * np.float64(b) + np.float64(c)).astype(np.float32)
