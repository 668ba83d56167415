"""darter's operations in PyTorch, with gradients: one function per row of `net.OPS`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from darter.net import window

Given = Mapping[str, Any]


def activate(activation: Any, x: Tensor) -> Tensor:
    """x bent as an `Activation` says; x itself for None."""
    if activation is None:
        return x
    a, b = activation.a, activation.b
    return ACTIVATIONS[activation.kind](x, a, b)


ACTIVATIONS: dict[str, Callable[[Tensor, float, float], Tensor]] = {
    "relu": lambda x, a, b: F.relu(x),
    "clip": lambda x, a, b: x.clamp(a, b),
    "round_clip": lambda x, a, b: x.clamp(a, b).round(),
    "leaky_relu": lambda x, a, b: F.leaky_relu(x, a),
    "elu": lambda x, a, b: F.elu(x, a),
    "sigmoid": lambda x, a, b: x.sigmoid(),
    "hard_sigmoid": lambda x, a, b: (a * x + b).clamp(0, 1),
    "swish": lambda x, a, b: F.silu(x),
    "hard_swish": lambda x, a, b: F.hardswish(x),
    "gelu": lambda x, a, b: F.gelu(x),
    "gelu_tanh": lambda x, a, b: F.gelu(x, approximate="tanh"),
    "tanh": lambda x, a, b: x.tanh(),
    "softplus": lambda x, a, b: F.softplus(x),
    "mish": lambda x, a, b: F.mish(x),
    "erf": lambda x, a, b: x.erf(),
    "exp": lambda x, a, b: x.exp(),
    "sqrt": lambda x, a, b: x.sqrt(),
    "reciprocal": lambda x, a, b: x.reciprocal(),
    "power": lambda x, a, b: x.pow(a),
}


def padded(x: Tensor, pads: tuple[int, ...], border: str = "zeros", fill: float = 0.0) -> Tensor:
    """pads: top, left, bottom, right."""
    top, left, bottom, right = pads
    if not any(pads):
        return x
    mode = {"zeros": "constant", "constant": "constant", "edge": "replicate"}.get(border, border)
    value = fill if mode == "constant" else None
    return F.pad(x, (left, right, top, bottom), mode=mode, value=value)


def finish(given: Given, y: Tensor, residual: Tensor | None) -> Tensor:
    """The activation and the sum that are fused into a product."""
    if residual is None:
        return activate(given["activation"], y)
    if given["activation_after_residual"]:
        return activate(given["activation"], y + residual)
    return activate(given["activation"], y) + residual


def conv(given: Given, x: Tensor, w: Tensor, b: Tensor, residual: Tensor | None = None) -> Tensor:
    top, left, bottom, right = pads = tuple(given["pads"])
    even = (top, left) == (bottom, right) and given["border"] == "zeros"
    x = x if even else padded(x, pads, given["border"])
    y = F.conv2d(
        x, w, b, given["strides"], (top, left) if even else 0, given["dilations"], given["group"]
    )
    return finish(given, y, residual)


def gemm(given: Given, x: Tensor, w: Tensor, b: Tensor, residual: Tensor | None = None) -> Tensor:
    return finish(given, F.linear(x, w, b), residual)


def max_pool(given: Given, x: Tensor) -> Tensor:
    x = _up_to_last_window(given, padded(x, tuple(given["pads"]), fill=-torch.inf), x, -torch.inf)
    return F.max_pool2d(x, given["kernel"], given["strides"], 0, given["dilations"])


def average_pool(given: Given, x: Tensor) -> Tensor:
    """Windows are summed, and divided by how many of their pixels count."""
    pads, counted = tuple(given["pads"]), 1.0 if given["count_padding"] else 0.0
    inside = padded(torch.ones_like(x[:1, :1]), pads, fill=counted)
    return _window_sums(given, padded(x, pads), x) / _window_sums(given, inside, x)


def _window_sums(given: Given, x: Tensor, unpadded: Tensor) -> Tensor:
    x, channels = _up_to_last_window(given, x, unpadded, 0.0), x.shape[1]
    ones = x.new_ones((channels, 1, *given["kernel"]))
    return F.conv2d(x, ones, None, given["strides"], 0, given["dilations"], channels)


def _up_to_last_window(given: Given, x: Tensor, unpadded: Tensor, fill: float) -> Tensor:
    """x as far as the last windows reach, which is further where sizes are rounded up."""
    more = []
    for axis, count in enumerate(window(tuple(unpadded.shape[2:]), given["kernel"], given)):
        reach = (given["kernel"][axis] - 1) * given["dilations"][axis] + 1
        more.append(max(0, (count - 1) * given["strides"][axis] + reach - x.shape[axis + 2]))
    return padded(x, (0, 0, *more), fill=fill)


def eltwise(given: Given, a: Tensor, b: Tensor) -> Tensor:
    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
        "pow": torch.pow, "min": torch.minimum, "max": torch.maximum,
        "less": torch.lt, "less_equal": torch.le, "equal": torch.eq,
    }  # fmt: skip
    return activate(given["activation"], functions[given["function"]](a, b).to(a.dtype))


def _per_channel(x: Tensor, values: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (x.dim() - 2))


def scale(given: Given, x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    y = x * _per_channel(x, factor) + _per_channel(x, shift)
    return activate(given["activation"], y)


def prelu(given: Given, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def where(given: Given, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition != 0, a, b)


def split(given: Given, x: Tensor) -> list[Tensor]:
    return [*x.split(tuple(given["sizes"]), given["axis"])]


def slice_(given: Given, x: Tensor) -> Tensor:
    places = range(given["start"], given["stop"], given["step"])
    return x.index_select(given["axis"], torch.tensor(places, device=x.device))


def take(given: Given, x: Tensor) -> Tensor:
    return x.index_select(given["axis"], torch.tensor(given["places"], device=x.device))


def channels(given: Given, *inputs: Tensor) -> Tensor:
    starts = [0]
    for x in inputs:
        starts.append(starts[-1] + x.shape[1])
    places = [starts[i] + channel for i, channel in given["sources"]]
    return torch.cat(inputs, 1).index_select(1, torch.tensor(places, device=inputs[0].device))


def reshape(given: Given, x: Tensor) -> Tensor:
    return x.reshape([-1 if size is None else size for size in given["shape"]])


def expand(given: Given, x: Tensor, like: Tensor | None = None) -> Tensor:
    pictures = 1 if like is None else len(like)
    target = [pictures if size is None else size for size in given["shape"]]
    return x.expand(torch.broadcast_shapes(x.shape, target))


def pad(given: Given, x: Tensor) -> Tensor:
    rank, pads = x.dim(), tuple(given["pads"])
    amounts = [each for i in reversed(range(rank)) for each in (pads[i], pads[i + rank])]
    mode = "replicate" if given["mode"] == "edge" else str(given["mode"])
    if mode == "constant":
        return F.pad(x, amounts, value=given["value"])
    spatial = amounts[: 2 * (rank - 2)]
    flat = x.reshape(-1, *x.shape[2:]) if rank == 4 else x
    return F.pad(flat, spatial, mode=mode).reshape(*x.shape[:2], *_grown(x, spatial))


def _grown(x: Tensor, amounts: list[int]) -> list[int]:
    """The sizes behind the channels after padding."""
    pairs = [*zip(amounts[::2], amounts[1::2], strict=True)][::-1]
    return [size + a + b for size, (a, b) in zip(x.shape[2:], pairs, strict=True)]


def layer_norm(given: Given, x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[given["axis"] % x.dim() :], factor, shift, given["epsilon"])


def channel_norm(given: Given, x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    last = F.layer_norm(x.movedim(1, -1), x.shape[1:2], factor, shift, given["epsilon"])
    return last.movedim(-1, 1)


def group_norm(given: Given, x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    grouped = x.reshape(len(x), given["groups"], -1)
    variance, mean = torch.var_mean(grouped, -1, correction=0, keepdim=True)
    normal = ((grouped - mean) / (variance + given["epsilon"]).sqrt()).reshape(x.shape)
    return normal * _per_channel(x, factor) + _per_channel(x, shift)


def lrn(given: Given, x: Tensor) -> Tensor:
    size = given["size"]
    before = (size - 1) // 2
    squares = F.pad((x**2).unsqueeze(1), (0, 0) * (x.dim() - 2) + (before, size - 1 - before))
    total = squares.squeeze(1).unfold(1, size, 1).sum(-1)
    return x / (given["bias"] + given["alpha"] / size * total) ** given["beta"]


def depth_to_space(given: Given, x: Tensor) -> Tensor:
    (n, c, h, w), (a, b) = x.shape, given["square"]
    k = c // (a * b)
    if given["channels_first"]:
        apart = x.reshape(n, k, a, b, h, w).permute(0, 1, 4, 2, 5, 3)
    else:
        apart = x.reshape(n, a, b, k, h, w).permute(0, 3, 4, 1, 5, 2)
    return apart.reshape(n, k, a * h, b * w)


def softmax(given: Given, x: Tensor) -> Tensor:
    return (F.log_softmax if given["log"] else F.softmax)(x, dim=given["axis"])


def reduce(given: Given, x: Tensor) -> Tensor:
    axes, keep = tuple(given["axes"]), given["keep_dims"]
    if given["function"] == "prod":
        for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
            x = x.prod(axis, keepdim=keep)
        return x
    return REDUCTIONS[given["function"]](x, axes, keep)


REDUCTIONS: dict[str, Callable[[Tensor, tuple[int, ...], bool], Tensor]] = {
    "mean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "sum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "max": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "min": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "l1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "l2": lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt(),
    "sum_square": lambda x, axes, keep: x.square().sum(axes, keepdim=keep),
    "log_sum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
    "log_sum_exp": lambda x, axes, keep: x.logsumexp(axes, keepdim=keep),
}

OPERATIONS: dict[str, Callable[..., Any]] = {
    "Conv": conv,
    "Gemm": gemm,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda given, x: x.mean((2, 3), keepdim=True),
    "GlobalMaxPool": lambda given, x: x.amax((2, 3), keepdim=True),
    "Eltwise": eltwise,
    "Activation": lambda given, x: activate(given["activation"], x),
    "PRelu": prelu,
    "Scale": scale,
    "Concat": lambda given, *inputs: torch.cat(inputs, given["axis"]),
    "Split": split,
    "Slice": slice_,
    "Channels": channels,
    "Take": take,
    "Reshape": reshape,
    "Transpose": lambda given, x: x.permute(tuple(given["order"])),
    "Expand": expand,
    "Pad": pad,
    "LRN": lrn,
    "LayerNorm": layer_norm,
    "ChannelNorm": channel_norm,
    "GroupNorm": group_norm,
    "DepthToSpace": depth_to_space,
    "Where": where,
    "Softmax": softmax,
    "Reduce": reduce,
    "MatMul": lambda given, a, b: a @ b,
}
