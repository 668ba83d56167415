"""What moves, joins, normalizes, reduces and resizes arrays, in plain numpy."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.references.windows import activate, sigmoid


def eltwise(given, a, b):
    functions = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
        "pow": np.power, "min": np.minimum, "max": np.maximum,
        "less": np.less, "less_equal": np.less_equal, "equal": np.equal,
    }  # fmt: skip
    return activate(given["activation"], functions[given["function"]](a, b).astype(a.dtype))


def scale(given, x, factor, shift):
    per_channel = (-1,) + (1,) * (x.ndim - 2)
    y = x * factor.reshape(per_channel) + shift.reshape(per_channel)
    return activate(given["activation"], y)


def split(given, x):
    return np.split(x, np.cumsum(given["sizes"])[:-1], axis=given["axis"])


def slice_(given, x):
    parts = [slice(None)] * x.ndim
    parts[given["axis"]] = slice(given["start"], given["stop"], given["step"])
    return x[tuple(parts)]


def take(given, x):
    return np.take(x, given["places"], given["axis"])


def reshape(given, x):
    return x.reshape([-1 if size is None else size for size in given["shape"]])


def expand(given, x, like=None):
    target = given["shape"]
    own = (1,) * (len(target) - x.ndim) + x.shape
    shape = [
        (len(like) if like is not None else old) if size is None else size
        for old, size in zip(own[-len(target) :], target, strict=True)
    ]
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape)))


def pad(given, x):
    rank, pads = x.ndim, given["pads"]
    x = x[tuple(slice(-min(pads[i], 0), min(pads[i + rank], 0) or None) for i in range(rank))]
    amounts = [(max(pads[i], 0), max(pads[i + rank], 0)) for i in range(rank)]
    if given["mode"] == "constant":
        return np.pad(x, amounts, constant_values=given["value"])
    return np.pad(x, amounts, mode=given["mode"])


def lrn(given, x):
    """Squares of `size` channels around each; for even sizes one more follows than precedes."""
    before = (given["size"] - 1) // 2
    after = given["size"] - 1 - before
    squares = np.pad(x**2, [(0, 0), (before, after)] + [(0, 0)] * (x.ndim - 2))
    total = sliding_window_view(squares, given["size"], axis=1).sum(-1)
    return x / (given["bias"] + given["alpha"] / given["size"] * total) ** given["beta"]


def layer_norm(given, x, factor, shift):
    axes = tuple(range(given["axis"] % x.ndim, x.ndim))
    centered = x - x.mean(axes, keepdims=True)
    deviation = np.sqrt((centered**2).mean(axes, keepdims=True) + given["epsilon"])
    return centered / deviation * factor + shift


def channel_norm(given, x, factor, shift):
    last = layer_norm({**given, "axis": -1}, np.moveaxis(x, 1, -1), factor, shift)
    return np.moveaxis(last, -1, 1)


def group_norm(given, x, factor, shift):
    grouped = x.reshape(len(x), given["groups"], -1)
    centered = grouped - grouped.mean(-1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(-1, keepdims=True) + given["epsilon"])
    per_channel = (-1,) + (1,) * (x.ndim - 2)
    normal = (centered / deviation).reshape(x.shape)
    return normal * factor.reshape(per_channel) + shift.reshape(per_channel)


def depth_to_space(given, x):
    (n, c, h, w), (a, b) = x.shape, given["square"]
    k = c // (a * b)
    if given["channels_first"]:
        apart = x.reshape(n, k, a, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        apart = x.reshape(n, a, b, k, h, w).transpose(0, 3, 4, 1, 5, 2)
    return apart.reshape(n, k, a * h, b * w)


def arg(given, x):
    axis, x = given["axis"], -x if given["least"] else x
    if given["last"]:
        best = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis, keepdims=True)
    else:
        best = x.argmax(axis, keepdims=True)
    return (best if given["keep_dims"] else best.squeeze(axis)).astype(x.dtype)


def top_places(given, x):
    key = np.where(np.isnan(x), -np.inf, x if not given["least"] else -x)
    order = np.argsort(-key, axis=given["axis"], kind="stable")
    return np.take(order, range(given["count"]), axis=given["axis"]).astype(x.dtype)


def gather_along(given, x, places):
    axis = given["axis"]
    size = x.shape[axis]
    whole = np.where(places < 0, places + size, places)
    return np.take_along_axis(x, np.clip(whole, 0, size - 1).astype(np.int64), axis)


def recurrent(given, gates, r, bias):
    n, steps, _ = gates.shape
    size = r.shape[1]
    h, c = np.zeros((n, size)), np.zeros((n, size))
    y = np.zeros((n, steps, size), gates.dtype)
    for t in reversed(range(steps)) if given["backward"] else range(steps):
        z = gates[:, t]
        if given["kind"] == "lstm":
            i, o, f, g = np.split(z + h @ r.T, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            z_update, z_reset, z_next = np.split(z, 3, axis=1)
            r_update, r_reset, r_next = np.split(r, 3)
            update, reset = sigmoid(z_update + h @ r_update.T), sigmoid(z_reset + h @ r_reset.T)
            if given["kind"] == "gru_reset_after":
                h_next = np.tanh(z_next + reset * (h @ r_next.T + bias))
            else:
                h_next = np.tanh(z_next + (reset * h) @ r_next.T)
            h = (1 - update) * h_next + update * h
        y[:, t] = h
    return y


def softmax(given, x):
    logits = x - x.max(given["axis"], keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(given["axis"], keepdims=True))
    return logs if given["log"] else np.exp(logs)


def reduce(given, x):
    function = {
        "mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min,
        "l2": lambda x, **how: np.sqrt(np.sum(x**2, **how)),
        "l1": lambda x, **how: np.sum(np.abs(x), **how), "prod": np.prod,
        "sum_square": lambda x, **how: np.sum(x**2, **how),
        "log_sum": lambda x, **how: np.log(np.sum(x, **how)),
        "log_sum_exp": lambda x, **how: np.log(np.sum(np.exp(x), **how)),
    }[given["function"]]  # fmt: skip
    return function(x, axis=tuple(given["axes"]), keepdims=given["keep_dims"])


def resize(given, x):
    for axis in (2, 3):
        weights = resize_weights(given, x.shape[axis], axis - 2)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ weights.T, -1, axis)
    return x


def resize_weights(given, size: int, axis: int):
    """(new size, size): how much of each old pixel goes into each new one."""
    new, factor = given["size"][axis], np.float32(given["scales"][axis])
    one, half, last = np.float32(1), np.float32(0.5), np.float32(size - 1)
    weights = np.zeros((new, size))
    for i in map(np.float32, range(new)):  # in float32, as ONNX Runtime: ties hang on the last bit
        place = {
            "half_pixel": lambda i: (i + half) / factor - half,
            "half_pixel_symmetric": lambda i: np.float32(
                float(
                    np.float32(size) * half * (one - np.float32(new) / (factor * np.float32(size)))
                )
                + (float(i) + 0.5) / float(factor)
                - 0.5
            ),
            "pytorch_half_pixel": lambda i: (i + half) / factor - half if new > 1 else 0.0,
            "align_corners": lambda i: i * last / np.float32(new - 1) if new > 1 else 0.0,
            "asymmetric": lambda i: i / factor,
        }[given["coordinates"]](i)
        for j, w in near(given, float(place), size):
            weights[int(i), min(max(j, 0), size - 1)] += w
    return weights


def near(given, place: float, size: int) -> list[tuple[int, float]]:
    """Pixels around a place, and their weights."""
    below = math.floor(place)
    t = place - below
    if given["mode"] == "nearest":
        if abs(t - 0.5) <= 1e-6:  # float32 has missed the middle of two pixels
            place = below + 0.5
        rounded = {
            "round_prefer_floor": math.ceil(place - 0.5),
            "round_prefer_ceil": math.floor(place + 0.5),
            "floor": below,
            "ceil": math.ceil(place),
        }[given["nearest"]]
        return [(rounded, 1.0)]
    if given["mode"] == "linear":
        pairs = [(below, 1 - t), (below + 1, t)]
    else:
        a = given["cubic"]
        inner = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1  # noqa: E731
        outer = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a  # noqa: E731
        weights = outer(1 + t), inner(t), inner(1 - t), outer(2 - t)
        pairs = [(below - 1 + k, w) for k, w in enumerate(weights)]
    if given["exclude_outside"]:
        pairs = [(j, w) for j, w in pairs if 0 <= j < size]
        total = sum(w for _, w in pairs)
        pairs = [(j, w / total) for j, w in pairs]
    return pairs
