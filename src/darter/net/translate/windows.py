"""Convolutions and pools: what slides a window over a picture."""

from dataclasses import replace

import numpy as np

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.ops import Activation
from darter.net.translate.attributes import integer, integers, number, text
from darter.net.translate.context import Translation


def conv(net: Translation, source: Node) -> None:
    w = net.constant(source, 1)
    if w is None:
        raise ModelFileError("has no filters")
    _check_image(net, source, w.ndim)
    bias = net.constant(source, 2)
    b = net.weight(source, "bias", np.zeros(w.shape[0])) if bias is None else source.inputs[2]
    net.emit(
        "Conv",
        source,
        (source.inputs[0], source.inputs[1], b),
        source.output,
        group=integer(source, "group", 1),
        **_window(net, source, w.shape[2:]),
    )


def fused_conv(net: Translation, source: Node) -> None:
    """Conv, a sum with the fourth input, and an activation: what ONNX Runtime saves."""
    product = net.between(source, "product")
    conv(net, replace(source, op="Conv", inputs=source.inputs[:3], outputs=(product,)))
    if len(source.inputs) > 3 and source.inputs[3]:
        pair, product = (product, source.inputs[3]), net.between(source, "sum")
        net.emit("Eltwise", source, pair, product, function="add")
    name, given = text(source, "activation", ""), source.attributes.get("activation_params", ())
    if name not in FUSED or not isinstance(given, tuple) or len(given) != FUSED[name][1]:
        raise UnsupportedError(f"activation {name[:30]!r} with {given} is not supported")
    activation = Activation(FUSED[name][0], *map(float, given))
    net.emit("Activation", source, (product,), source.output, activation=activation)


FUSED = {  # name -> darter's, and how many parameters it has
    "Relu": ("relu", 0),
    "Tanh": ("tanh", 0),
    "Sigmoid": ("sigmoid", 0),
    "LeakyRelu": ("leaky_relu", 1),
    "Clip": ("clip", 2),
    "HardSigmoid": ("hard_sigmoid", 2),
}


def max_pool(net: Translation, source: Node) -> None:
    if any(source.outputs[1:]):
        raise UnsupportedError("the places of the maxima are not supported")
    _pool(net, source, "MaxPool")


def average_pool(net: Translation, source: Node) -> None:
    _pool(net, source, "AveragePool", count_padding=bool(integer(source, "count_include_pad", 0)))


def global_average_pool(net: Translation, source: Node) -> None:
    _check_image(net, source, 4)
    net.emit("GlobalAveragePool", source, source.inputs, source.output)


def global_max_pool(net: Translation, source: Node) -> None:
    _check_image(net, source, 4)
    net.emit("GlobalMaxPool", source, source.inputs, source.output)


def lrn(net: Translation, source: Node) -> None:
    if len(net.shape(source.inputs[0])) < 2:
        raise ModelFileError("has no channels to look at")
    net.emit(
        "LRN",
        source,
        source.inputs,
        source.output,
        size=integer(source, "size", 0),
        alpha=number(source, "alpha", 1e-4),
        beta=number(source, "beta", 0.75),
        bias=number(source, "bias", 1.0),
    )


def _pool(net: Translation, source: Node, op: str, **attributes: bool) -> None:
    _check_image(net, source, len(source.attributes.get("kernel_shape", ())) + 2)
    kernel = integers(source, "kernel_shape", count=2)
    net.emit(
        op,
        source,
        source.inputs,
        source.output,
        kernel=kernel,
        ceil=bool(integer(source, "ceil_mode", 0)),
        **attributes,
        **_window(net, source, kernel),
    )


def _check_image(net: Translation, source: Node, filter_rank: int) -> None:
    rank = len(net.shape(source.inputs[0]))
    if rank != 4 or filter_rank != 4:
        raise UnsupportedError(f"works on (N, C, H, W) only; its input has rank {rank}")


def _window(net: Translation, source: Node, kernel: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    if "kernel_shape" in source.attributes and source.attributes["kernel_shape"] != kernel:
        raise ModelFileError(
            f"kernel_shape {source.attributes['kernel_shape']} differs from the filters' {kernel}"
        )
    strides = integers(source, "strides", (1, 1), 2)
    dilations = integers(source, "dilations", (1, 1), 2)
    auto = text(source, "auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = integers(source, "pads", (0, 0, 0, 0), 4)
    elif auto == "VALID":
        pads = (0, 0, 0, 0)
    else:
        hw = net.dims(source.inputs[0])[0][2:]
        pads = _same(hw, kernel, strides, dilations, upper=auto == "SAME_UPPER")
    return {"strides": strides, "pads": pads, "dilations": dilations}


def _same(hw, kernel, strides, dilations, *, upper: bool) -> tuple[int, ...]:
    """Padding that keeps ceil(size / stride) outputs; an odd pixel goes below, right if `upper`."""
    before, after = [], []
    for size, k, stride, dilation in zip(hw, kernel, strides, dilations, strict=True):
        outputs = -(-size // stride)
        total = max(0, (outputs - 1) * stride + (k - 1) * dilation + 1 - size)
        small, large = total // 2, total - total // 2
        before.append(small if upper else large)
        after.append(large if upper else small)
    return (*before, *after)
