"""Quantized nets, in both ways that ONNX writes them: QDQ and operators on integers.

Integers are kept as whole float32 numbers. What is rounded is q - zero_point, a whole number within
[low - zero_point, high - zero_point], so that scales move into the products next to them.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.ops import Activation
from darter.net.translate import elementwise, windows
from darter.net.translate.attributes import integer, number
from darter.net.translate.context import Translation

LIMITS = {"uint8": (0, 255), "int8": (-128, 127)}
ONNX_TYPES = {2: "uint8", 3: "int8"}  # of the attribute output_dtype


def quantize_linear(net: Translation, source: Node) -> None:
    """q = clip(round(x / scale) + zero_point), ties to even."""
    kind = integer(source, "output_dtype", 0)
    if kind not in (0, *ONNX_TYPES):
        raise UnsupportedError("quantizes to other integers than of 8 bits")
    default = ONNX_TYPES.get(kind, "uint8")
    _quantized(net, source, source.inputs[0], 1, source.output, default)
    net.whole.add(source.output)


def dequantize_linear(net: Translation, source: Node) -> None:
    """x = (q - zero_point) * scale, of integers that are computed; of constants see `fold`."""
    if integer(source, "block_size", 0):
        raise UnsupportedError("has scales per block")
    _dequantized(net, source, source.inputs[0], 1, source.output)


def qlinear_conv(net: Translation, source: Node) -> None:
    """x, its scale and zero point, w and its, y's, bias: integers in steps of both scales."""
    x = _dequantized(net, source, source.inputs[0], 1, net.between(source, "x"))
    w = _constant(net, source, 3)
    rank = (-1,) + (1,) * (w.ndim - 1)
    w_scale, w_zero = _scale(net, source, 4).reshape(rank), _zero(net, source, 5).reshape(rank)
    weights = net.weight(source, "w", (w.astype(np.float64) - w_zero) * w_scale)
    inputs = [x, weights]
    bias = net.constant(source, 8)
    if bias is not None:
        step = _scale(net, source, 1).ravel() * _scale(net, source, 4).ravel()
        inputs.append(net.weight(source, "b", bias * step))
    product = net.between(source, "product")
    windows.conv(net, replace(source, op="Conv", inputs=tuple(inputs), outputs=(product,)))
    _requantized(net, source, product, 6, w.dtype)


def qlinear_matmul(net: Translation, source: Node) -> None:
    """a, its scale and zero point, b and its, y's; b is constant."""
    _product(net, source, 6, None)


def qgemm(net: Translation, source: Node) -> None:
    """ONNX Runtime's: a, b, bias as integers in steps of both scales; y's scale may be absent."""
    if integer(source, "transA", 0) or number(source, "alpha", 1.0) != 1:
        raise UnsupportedError("transA and alpha are not supported")
    _product(net, source, 7, 6)


def _product(net: Translation, source: Node, y_scale: int, bias: int | None) -> None:
    from darter.net.translate import products

    a = _dequantized(net, source, source.inputs[0], 1, net.between(source, "a"))
    b = _constant(net, source, 3).astype(np.float64)
    turned = bias is not None and integer(source, "transB", 0)
    b = b.T if turned else b
    scale = _scale(net, source, 4)
    weights = (b - _zero(net, source, 5)) * scale
    product = net.between(source, "product")
    added = None if bias is None else net.constant(source, bias)
    inputs = [a, net.weight(source, "b", weights)]
    if added is not None:
        step = _scale(net, source, 1).ravel() * scale.ravel()
        inputs.append(net.weight(source, "c", added * step))
    op = "MatMul" if added is None else "Gemm"
    made = replace(source, op=op, inputs=tuple(inputs), outputs=(product,), attributes={})
    (products.matmul if added is None else products.gemm_of_rows)(net, made)
    if len(source.inputs) > y_scale and source.inputs[y_scale]:
        _requantized(net, source, product, y_scale, None)
    else:
        net.rename(source, product)


def qlinear_binary(function: str):
    """A translation of ONNX Runtime's QLinearAdd and QLinearMul: a, b with theirs, y's."""

    def translate(net: Translation, source: Node) -> None:
        a = _dequantized(net, source, source.inputs[0], 1, net.between(source, "a"))
        b = _dequantized(net, source, source.inputs[3], 4, net.between(source, "b"))
        y = net.between(source, "result")
        net.emit("Eltwise", source, (a, b), y, function=function)
        _requantized(net, source, y, 6, None)

    return translate


def qlinear_of(op: str):
    """A translation of an operation of one tensor: x, its scale and zero point, y's."""

    def translate(net: Translation, source: Node) -> None:
        if integer(source, "channels_last", 0):
            raise UnsupportedError("its channels are last")
        x = _dequantized(net, source, source.inputs[0], 1, net.between(source, "x"))
        y = net.between(source, "result")
        kept = {k: v for k, v in source.attributes.items() if k != "channels_last"}
        made = replace(source, op=op, inputs=(x,), outputs=(y,), attributes=kept)
        {
            "AveragePool": windows.average_pool,
            "GlobalAveragePool": windows.global_average_pool,
            "Sigmoid": elementwise.plain("sigmoid"),
            "LeakyRelu": elementwise.leaky_relu,
        }[op](net, made)
        _requantized(net, source, y, 3, None)

    return translate


def qlinear_concat(net: Translation, source: Node) -> None:
    """y's scale and zero point, then each tensor with its own."""
    from darter.net.translate import cuts

    if len(source.inputs) < 5 or len(source.inputs) % 3 != 2:
        raise ModelFileError("needs a scale and a zero point for each tensor")
    parts = [
        _dequantized(net, source, source.inputs[i], i + 1, net.between(source, f"part{i}"))
        for i in range(2, len(source.inputs), 3)
    ]
    y = net.between(source, "result")
    cuts.concat(net, replace(source, op="Concat", inputs=tuple(parts), outputs=(y,)))
    _requantized(net, source, y, 0, None)


def _requantized(
    net: Translation, source: Node, x: str, scale: int, default: np.dtype | None
) -> None:
    kind = "uint8" if default is None else str(default)
    _quantized(net, source, x, scale, source.output, kind)
    net.whole.add(source.output)


def _dequantized(net: Translation, source: Node, q: str, scale: int, output: str) -> str:
    """(q - zero_point) * scale, of the constants from the input number `scale` on."""
    axes = _axis(net, source, q)
    factor, zero = _placed(_scale(net, source, scale), axes), _zero(net, source, scale + 1)
    if zero.any():
        centered = f"{output}.centered"
        name = net.weight(source, "zero_point", _placed(zero, axes))
        net.emit("Eltwise", source, (q, name), centered, function="sub")
        q = centered
    name = net.weight(source, "scale", factor)
    net.emit("Eltwise", source, (q, name), output, function="mul")
    return output


def _quantized(
    net: Translation, source: Node, x: str, scale: int, output: str, default: str
) -> None:
    axes = _axis(net, source, x)
    factor, zero = _placed(_scale(net, source, scale), axes), _zero(net, source, scale + 1)
    given = net.constant(source, scale + 1)
    kind = default if given is None else str(given.dtype)
    if kind not in LIMITS:
        raise UnsupportedError(f"quantizes to {kind}; only integers of 8 bits are supported")
    if np.unique(zero).size != 1:
        raise UnsupportedError("quantizes with a zero point per channel")
    low, high = (float(limit - zero.ravel()[0]) for limit in LIMITS[kind])
    steps, rounded = f"{output}.steps", f"{output}.rounded"
    name = net.weight(source, "step", factor)
    net.emit("Eltwise", source, (x, name), steps, function="div")
    whole = Activation("round_clip", low, high)
    target = rounded if zero.any() else output
    net.emit("Activation", source, (steps,), target, activation=whole)
    if zero.any():
        name = net.weight(source, "offset", zero.ravel()[:1])
        net.emit("Eltwise", source, (rounded, name), output, function="add")


def _axis(net: Translation, source: Node, x: str) -> tuple[int, int]:
    """The rank of a tensor, and its axis of channels."""
    rank = len(net.shape(x))
    named = source.op in ("QuantizeLinear", "DequantizeLinear")
    axis = integer(source, "axis", 1) if named else 1
    return rank, axis % max(rank, 1)


def _placed(values: NDArray[np.float64], axes: tuple[int, int]) -> NDArray[np.float64]:
    """One number, or one per channel, as it broadcasts to the tensor."""
    rank, axis = axes
    if values.size == 1:
        return values.reshape(())
    return values.reshape(-1, *(1,) * (rank - axis - 1))


def _scale(net: Translation, source: Node, place: int) -> NDArray[np.float64]:
    value = net.constant(source, place)
    if value is None or value.dtype.kind != "f" or value.ndim > 1 or not value.size:
        raise ModelFileError(f"its input {place} must be a scale, or one per channel")
    scale = np.asarray(value, np.float64)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ModelFileError("scales must be above 0")
    return scale


def _zero(net: Translation, source: Node, place: int) -> NDArray[np.float64]:
    value = net.constant(source, place)
    if value is None:
        return np.zeros(1)
    if value.dtype.kind not in "iu" or value.ndim > 1 or not value.size:
        raise ModelFileError(f"its input {place} must be a whole number, or one per channel")
    return np.asarray(value, np.float64)


def _constant(net: Translation, source: Node, place: int) -> NDArray[np.generic]:
    value = net.constant(source, place)
    if value is None or value.dtype.kind not in "iu":
        raise ModelFileError(f"its input {place} must be constant integers")
    return value
