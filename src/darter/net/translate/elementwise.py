"""What treats each number for itself: activations, arithmetic, batch normalization."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.ops import Activation
from darter.net.translate.attributes import integer, number, text
from darter.net.translate.context import Translation

FLOATS = (1, 10, 11)  # ONNX's numbers of float32, float16 and float64
WHOLE = (2, 3, 4, 5, 6, 7, 9, 12, 13)  # and of whole numbers and truth values


def plain(kind: str):
    """A translation for an activation without parameters."""

    def translate(net: Translation, source: Node) -> None:
        _activation(net, source, Activation(kind))

    return translate


def leaky_relu(net: Translation, source: Node) -> None:
    _activation(net, source, Activation("leaky_relu", number(source, "alpha", 0.01)))


def elu(net: Translation, source: Node) -> None:
    _activation(net, source, Activation("elu", number(source, "alpha", 1.0)))


def hard_sigmoid(net: Translation, source: Node) -> None:
    a, b = number(source, "alpha", 0.2), number(source, "beta", 0.5)
    _activation(net, source, Activation("hard_sigmoid", a, b))


def gelu(net: Translation, source: Node) -> None:
    tanh = text(source, "approximate", "none") == "tanh"
    _activation(net, source, Activation("gelu_tanh" if tanh else "gelu"))


def swish(net: Translation, source: Node) -> None:
    if number(source, "alpha", 1.0) != 1:
        raise UnsupportedError("x sigmoid(a x) is supported for a = 1 only")
    _activation(net, source, Activation("swish"))


def selu(net: Translation, source: Node) -> None:
    """gamma * elu(x, alpha)"""
    alpha = number(source, "alpha", 1.67326319217681884765625)
    gamma = number(source, "gamma", 1.05070102214813232421875)
    bent = net.between(source, "elu")
    net.emit("Activation", source, source.inputs[:1], bent, activation=Activation("elu", alpha))
    _times(net, source, bent, gamma, source.output)


def celu(net: Translation, source: Node) -> None:
    """alpha * elu(x / alpha)"""
    alpha = number(source, "alpha", 1.0)
    if not alpha:
        raise ModelFileError("alpha must not be 0")
    grown, bent = net.between(source, "x"), net.between(source, "elu")
    _times(net, source, source.inputs[0], 1 / alpha, grown)
    net.emit("Activation", source, (grown,), bent, activation=Activation("elu", 1.0))
    _times(net, source, bent, alpha, source.output)


def absolute(net: Translation, source: Node) -> None:
    x, minus = source.inputs[0], net.between(source, "minus")
    _times(net, source, x, -1.0, minus)
    net.emit("Eltwise", source, (x, minus), source.output, function="max")


def softsign(net: Translation, source: Node) -> None:
    """x / (1 + |x|)"""
    x = source.inputs[0]
    minus, size, plus = (net.between(source, role) for role in ("minus", "size", "plus"))
    _times(net, source, x, -1.0, minus)
    net.emit("Eltwise", source, (x, minus), size, function="max")
    one = net.weight(source, "one", 1.0)
    net.emit("Eltwise", source, (size, one), plus, function="add")
    net.emit("Eltwise", source, (x, plus), source.output, function="div")


def mean(net: Translation, source: Node) -> None:
    """Of several tensors."""
    left, *others = source.inputs
    for part, right in enumerate(others):
        total = net.between(source, f"sum{part}")
        left = net.emit("Eltwise", source, (left, right), total, function="add")
    _times(net, source, left, 1 / len(source.inputs), source.output)


def clip(net: Translation, source: Node) -> None:
    """Bounds are inputs, before version 11 attributes; either may be left out."""
    if net.opset < 11:
        a, b = number(source, "min", -np.inf), number(source, "max", np.inf)
    else:
        low, high = net.constant(source, 1), net.constant(source, 2)
        a = -np.inf if low is None else _one(low)
        b = np.inf if high is None else _one(high)
    _activation(net, source, Activation("clip", a, b))


def prelu(net: Translation, source: Node) -> None:
    slope = net.constant(source, 1)
    if slope is not None and slope.size == 1:
        _activation(net, source, Activation("leaky_relu", float(_one(slope))))
    else:
        net.emit("PRelu", source, source.inputs, source.output)


def binary(function: str):
    """A translation for arithmetic on two tensors, or more, one after the other."""

    def translate(net: Translation, source: Node) -> None:
        if not source.inputs:
            raise ModelFileError("has no inputs")
        left, *others = source.inputs
        for part, right in enumerate(others, 1):
            last = part == len(others)
            output = source.output if last else net.between(source, f"part{part}")
            left = net.emit("Eltwise", source, (left, right), output, function=function)
        if not others:
            net.emit("Activation", source, (left,), source.output, activation=IDENTITY)

    return translate


IDENTITY = Activation("clip", -np.inf, np.inf)


def power(net: Translation, source: Node) -> None:
    exponent = net.constant(source, 1)
    if exponent is None or exponent.size != 1:
        raise UnsupportedError("the exponent must be one constant number")
    _activation(net, source, Activation("power", float(_one(exponent))))


def negate(net: Translation, source: Node) -> None:
    _times(net, source, source.inputs[0], -1.0, source.output)


def batch_normalization(net: Translation, source: Node) -> None:
    scale, shift = scale_and_shift(net, source)
    names = net.weight(source, "scale", scale), net.weight(source, "shift", shift)
    net.emit("Scale", source, (source.inputs[0], *names), source.output)


def scale_and_shift(net: Translation, source: Node) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, each (C,)."""
    if integer(source, "training_mode", 0) or any(source.outputs[1:]):
        raise UnsupportedError("is in training mode; export the net in evaluation mode")
    if not integer(source, "spatial", 1):
        raise UnsupportedError("normalizes each pixel for itself (spatial = 0)")
    values = [net.constant(source, place) for place in range(1, 5)]
    gamma, beta, mean, variance = (np.asarray(v, np.float64) for v in values)
    if len({v.shape for v in (gamma, beta, mean, variance)}) != 1:
        raise ModelFileError("scale, shift, mean and variance differ in length")
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + number(source, "epsilon", 1e-5))
        return scale, beta - mean * scale


def cast(net: Translation, source: Node) -> None:
    """Numbers stay float32 throughout, so a change of precision is nothing to do."""
    kind = integer(source, "to", 0)
    if kind not in FLOATS and not (source.inputs[0] in net.whole and kind in WHOLE):
        raise UnsupportedError("makes whole numbers of what is computed from pictures")
    net.alias(source)


def _times(net: Translation, source: Node, x: str, factor: float, output: str) -> None:
    constant = net.weight(source, "factor", factor)
    net.emit("Eltwise", source, (x, constant), output, function="mul")


def _activation(net: Translation, source: Node, activation: Activation) -> None:
    net.emit("Activation", source, source.inputs[:1], source.output, activation=activation)


def _one(array: np.ndarray) -> float:
    if array.size != 1:
        raise ModelFileError(f"one number expected, got shape {array.shape}")
    return float(array.ravel()[0])
