"""Convolution as its definition says, in float64."""

import numpy as np

from darter.conv import ConvSpec


def conv2d_reference(spec: ConvSpec, x, w, bias=None, residual=None, activation=None):
    """Sum over taps of shifted images; everything in float64."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    top, left, bottom, right = spec.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    (n, k, out_h, out_w), (_, per_group, r, s) = spec.y, spec.w
    y = np.zeros(spec.y)
    x = x.reshape(n, spec.groups, per_group, *x.shape[2:])
    w = w.reshape(spec.groups, k // spec.groups, per_group, r, s)
    for i in range(r):
        for j in range(s):
            row, column = i * spec.dilation[0], j * spec.dilation[1]
            seen = x[
                ...,
                row : row + (out_h - 1) * spec.stride[0] + 1 : spec.stride[0],
                column : column + (out_w - 1) * spec.stride[1] + 1 : spec.stride[1],
            ]
            y += np.einsum("ngchw,gkc->ngkhw", seen, w[..., i, j]).reshape(spec.y)
    if bias is not None:
        y += bias.astype(np.float64)[:, None, None]
    if residual is not None:
        y += residual
    if activation == "relu":
        y = np.maximum(y, 0)
    return y if activation != "relu6" else np.clip(y, 0, 6)


def magnitude(spec: ConvSpec, x, w, bias=None, residual=None):
    """Σ|x||w| (+ |bias| + |residual|) per output: what rounding errors are proportional to."""
    absolute = [None if a is None else np.abs(a) for a in (bias, residual)]
    return conv2d_reference(spec, np.abs(x), np.abs(w), *absolute)


def round_to_bfloat16(x):
    """float32 to the nearest bfloat16 (8 bits of mantissa, ties to even), as float32."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.rint(mantissa * 256) / 256, exponent).astype(np.float32)
