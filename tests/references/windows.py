"""Activations, and what slides windows or multiplies matrices, in plain numpy."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from darter.net.ops import Activation

erf = np.vectorize(math.erf, otypes=[np.float64])


def activate(activation: Activation | None, x):
    if activation is None:
        return x
    a, b = activation.a, activation.b
    return {
        "relu": lambda: np.maximum(x, 0),
        "clip": lambda: np.minimum(np.maximum(x, a), b),
        "round_clip": lambda: np.round(np.clip(x, a, b)),
        "leaky_relu": lambda: np.where(x < 0, a * x, x),
        "elu": lambda: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x),
        "sigmoid": lambda: sigmoid(x),
        "hard_sigmoid": lambda: np.clip(a * x + b, 0, 1),
        "swish": lambda: x * sigmoid(x),
        "hard_swish": lambda: x * np.clip(x / 6 + 0.5, 0, 1),
        "gelu": lambda: x * 0.5 * (1 + erf(x / math.sqrt(2))),
        "gelu_tanh": lambda: x * 0.5 * (
            1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        ),
        "tanh": lambda: np.tanh(x),
        "softplus": lambda: np.logaddexp(0, x),
        "mish": lambda: x * np.tanh(np.logaddexp(0, x)),
        "erf": lambda: erf(x),
        "exp": lambda: np.exp(x),
        "sqrt": lambda: np.sqrt(x),
        "reciprocal": lambda: 1 / x,
        "power": lambda: np.power(x, a),
    }[activation.kind]()  # fmt: skip


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def finish(given: Mapping, y, residual=None):
    """The activation and the sum that are fused into a product."""
    if residual is None:
        return activate(given["activation"], y)
    if given["activation_after_residual"]:
        return activate(given["activation"], y + residual)
    return activate(given["activation"], y) + residual


def windows(given: Mapping, x, kernel, fill):
    """(N, C, H', W', R, S): what each window sees; `fill` outside of the picture."""
    top, left, bottom, right = given["pads"]
    (sy, sx), (dy, dx) = given["strides"], given["dilations"]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, (dy, dx), strict=True)]
    # Room for the last windows where sizes are rounded up.
    more = [s if given.get("ceil") else 0 for s in (sy, sx)]
    x = np.pad(
        x,
        ((0, 0), (0, 0), (top, bottom + more[0]), (left, right + more[1])),
        constant_values=fill,
    )
    seen = sliding_window_view(x, reach, (2, 3))
    return seen[:, :, ::sy, ::sx, ::dy, ::dx]


def counted(given: Mapping, x, seen):
    """Windows cut to the number that the shape rule gives."""
    from darter.net.shapes import pool

    _, _, h, w = pool(given, [x.shape])[0]
    return seen[:, :, :h, :w]


def conv(given, x, w, b, residual=None):
    group = given["group"]
    if given["border"] != "zeros":
        top, left, bottom, right = given["pads"]
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode=given["border"])
        given = {**given, "pads": (0, 0, 0, 0)}
    n, c, _, _ = x.shape
    seen = windows(given, x, w.shape[2:], 0)
    h, width = seen.shape[2:4]
    seen = seen.reshape(n, group, c // group, h, width, *w.shape[2:])
    filters = w.reshape(group, -1, *w.shape[1:])
    y = np.einsum("ngchwrs,gkcrs->ngkhw", seen, filters, optimize=True)
    return finish(given, y.reshape(n, -1, h, width) + b[:, None, None], residual)


def binarize(given, x, threshold):
    return np.where(x >= threshold[:, None, None], 1, -1).astype(x.dtype)


def binary_conv(given, x, w, scale, bias, slope, shift, residual=0):
    plain = {**given, "group": 1, "border": "zeros", "activation": None}
    v = conv(plain, x, np.where(w >= 0, 1, -1), np.zeros(len(w)))
    v = v * scale[:, None, None] + bias[:, None, None] + residual
    return np.where(v >= 0, v, v * slope[:, None, None]) + shift[:, None, None]


def binary_conv_bits(given, x, w, scale, bias, threshold):
    one, zero = np.ones(len(w)), np.zeros(len(w))
    return binarize(given, binary_conv(given, x, w, scale, bias, one, zero), threshold)


def quantize(given, x):
    zero = given["zero"]
    return np.rint(np.clip(x / given["step"], -zero, 255 - zero)) + zero


def dequantize(given, q):
    return (q - given["zero"]) * given["scale"]


def integer_add(given, a, b):
    parts = zip((a, b), given["zeros"], given["scales"], strict=True)
    v = sum((each - zero) * scale for each, zero, scale in parts)
    zero = given["zero"]
    return np.rint(np.clip(v, given["low"] - zero, given["high"] - zero)) + zero


def integer_scale(given, x):
    zero = given["zero"]
    v = (x - given["x_zero"]) * given["scale"]
    return np.rint(np.clip(v, given["low"] - zero, given["high"] - zero)) + zero


def integer_concat(given, *parts):
    return np.concatenate(parts, 1)


def integer_conv(given, x, w, bias, scale):
    plain = {**given, "border": "zeros", "activation": None}
    pictures = (x - given["x_zero"]).reshape(*x.shape, *(1,) * (4 - x.ndim))
    v = conv(plain, pictures, w, bias) * scale[:, None, None]
    v = v.reshape(v.shape[: x.ndim])
    zero = given["zero"]
    return np.rint(np.clip(v, given["low"] - zero, given["high"] - zero)) + zero


def gemm(given, x, w, b, residual=None):
    return finish(given, x @ w.T + b, residual)


def max_pool(given, x):
    return counted(given, x, windows(given, x, given["kernel"], -np.inf)).max((4, 5))


def average_pool(given, x):
    total = counted(given, x, windows(given, x, given["kernel"], 0)).sum((4, 5))
    inside = np.ones_like(x[:1, :1])
    if given["count_padding"]:
        top, left, bottom, right = given["pads"]
        inside = np.pad(inside, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=1)
        unpadded = {**given, "pads": (0, 0, 0, 0)}
        count = windows(unpadded, inside, given["kernel"], 0).sum((4, 5))
        return total / count[:, :, : total.shape[2], : total.shape[3]]
    return total / counted(given, x, windows(given, inside, given["kernel"], 0)).sum((4, 5))
