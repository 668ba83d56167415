"""Whole nets, slowly and plainly: one numpy function for each operation of `ops.OPS`.

The truth for passes (a graph computes the same before and after) and for the compiled plan.
Everything is float64 unless asked otherwise.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from darter.net.graph import Graph, Node
from darter.net.ops import Activation, attributes

erf = np.vectorize(math.erf, otypes=[np.float64])


def run_graph(graph: Graph, *inputs, dtype=np.float64, disturb=None) -> list[np.ndarray]:
    """The graph's outputs for arrays in the order of its inputs.

    disturb: takes each tensor that a node computes and gives what is read instead of it.
    """
    return [value.astype(dtype) for value in _all(graph, inputs, dtype, graph.outputs, disturb)]


def _all(graph: Graph, inputs, dtype, wanted, disturb=None) -> list[np.ndarray]:
    known = {name: array.astype(dtype) for name, array in graph.weights.items()}
    known |= dict(zip(graph.inputs, (np.asarray(x, dtype) for x in inputs), strict=True))
    for node in graph.nodes:
        results = run_node(node, [known[name] for name in node.inputs if name])
        if disturb is not None:
            results = [disturb(result) for result in results]
        known.update(zip(node.outputs, results, strict=True))
    return [known[name] for name in wanted]


def run_node(node: Node, inputs: list[np.ndarray]) -> list[np.ndarray]:
    given = attributes(node.op, node.attributes)
    with np.errstate(all="ignore"):
        result = FUNCTIONS[node.op](given, *inputs)
    return result if isinstance(result, list) else [result]


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


def keep_boxes(given, boxes, scores):
    kept = np.zeros_like(scores)
    if given["middles"]:
        half = boxes[..., 2:] / 2
        boxes = np.concatenate((boxes[..., :2] - half, boxes[..., :2] + half), axis=-1)
    low, high = (
        np.minimum(boxes[..., :2], boxes[..., 2:]),
        np.maximum(boxes[..., :2], boxes[..., 2:]),
    )
    area = (high - low).prod(axis=-1)
    for n, c in np.ndindex(scores.shape[:2]):
        for k in np.argsort(-scores[n, c], kind="stable"):
            rivals = np.flatnonzero(kept[n, c])
            if len(rivals) >= given["most"] or not scores[n, c, k] > given["least"]:
                continue
            sides = np.minimum(high[n, rivals], high[n, k]) - np.maximum(low[n, rivals], low[n, k])
            both = np.clip(sides, 0, None).prod(axis=-1)
            every = area[n, rivals] + area[n, k] - both
            overlap = np.divide(both, every, out=np.zeros_like(both), where=every > 0)
            kept[n, c, k] = not (overlap > given["overlap"]).any()
    return kept


def align_regions(given, x, boxes):
    """Sample by sample, as ONNX defines it."""
    rows, columns = given["bins"]
    offset = 0.5 if given["half_pixel"] else 0.0
    y = np.zeros((*boxes.shape[:2], x.shape[1], rows, columns), x.dtype)
    for n, r in np.ndindex(boxes.shape[:2]):
        x0, y0, x1, y1 = boxes[n, r] * given["scale"] - offset
        size = np.array([y1 - y0, x1 - x0])
        if not given["half_pixel"]:
            size = np.maximum(size, 1.0)
        step = size / (rows, columns)
        counts = [given["samples"] or max(0, math.ceil(each)) for each in step]
        for row, column in np.ndindex(rows, columns):
            samples = [
                _bilinear(x[n], y0 + (row + (i + 0.5) / counts[0]) * step[0],
                          x0 + (column + (j + 0.5) / counts[1]) * step[1])
                for i, j in np.ndindex(*counts)
            ]  # fmt: skip
            if samples and given["maximum"]:
                y[n, r, :, row, column] = np.max(samples, axis=(0, 1))
            elif samples:
                y[n, r, :, row, column] = np.mean(np.sum(samples, axis=1), axis=0)
    return y


def _bilinear(x, row, column):
    """(4, C): the four pixels around a place, each times its weight; zeros beside the picture."""
    height, width = x.shape[1:]
    if not (-1 <= row <= height and -1 <= column <= width):
        return np.zeros((4, len(x)))
    (top, below, down), (left, right, across) = (
        (int(at), min(int(at) + 1, size - 1), at - int(at) if at < size - 1 else 0.0)
        for at, size in ((min(max(row, 0), height - 1), height),
                         (min(max(column, 0), width - 1), width))
    )  # fmt: skip
    return np.array([
        (1 - down) * (1 - across) * x[:, top, left], (1 - down) * across * x[:, top, right],
        down * (1 - across) * x[:, below, left], down * across * x[:, below, right],
    ])  # fmt: skip


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


FUNCTIONS = {
    "Conv": conv,
    "Binarize": binarize,
    "BinaryConv": binary_conv,
    "BinaryConvBits": binary_conv_bits,
    "Gemm": gemm,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda given, x: x.mean((2, 3), keepdims=True),
    "GlobalMaxPool": lambda given, x: x.max((2, 3), keepdims=True),
    "Eltwise": eltwise,
    "Activation": lambda given, x: activate(given["activation"], x),
    "PRelu": lambda given, x, slope: np.where(x < 0, slope * x, x),
    "Scale": scale,
    "Concat": lambda given, *xs: np.concatenate(xs, axis=given["axis"]),
    "Channels": lambda given, *xs: np.stack([xs[i][:, c] for i, c in given["sources"]], axis=1),
    "Split": split,
    "Slice": slice_,
    "Take": take,
    "Reshape": reshape,
    "Transpose": lambda given, x: x.transpose(given["order"]),
    "Expand": expand,
    "Pad": pad,
    "Resize": resize,
    "LRN": lrn,
    "LayerNorm": layer_norm,
    "ChannelNorm": channel_norm,
    "GroupNorm": group_norm,
    "DepthToSpace": depth_to_space,
    "Where": lambda given, condition, a, b: np.where(condition != 0, a, b),
    "Arg": arg,
    "TopPlaces": top_places,
    "GatherAlong": gather_along,
    "KeepBoxes": keep_boxes,
    "AlignRegions": align_regions,
    "Recurrent": recurrent,
    "Softmax": softmax,
    "Reduce": reduce,
    "MatMul": lambda given, a, b: a @ b,
}
