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
    own = (q.astype(np.float32) - np.float32(to.zero)) * np.float32(residual.own)
    other = added.astype(np.float32) - np.float32(residual.zero)
    return rounded(own + other * np.float32(residual.other), residual.to)


def add(a, b, zeros, scales, to):
    first, second = (
        (each.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        for each, zero, scale in zip((a, b), zeros, scales, strict=True)
    )
    return rounded(first + second, to)
