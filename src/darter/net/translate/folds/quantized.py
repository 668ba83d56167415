"""Constants between integers and the numbers that they stand for."""

import numpy as np

from darter.errors import UnsupportedError
from darter.net.graph import Node
from darter.net.translate.folds.inputs import Array, Fold, Inputs, needed, optional


def _shaped(x: Array, values: Array | None, axis: int) -> Array:
    """A scale or zero point, one or one per channel, as it broadcasts to x."""
    if values is None or np.size(values) == 1:
        return np.zeros((), x.dtype) if values is None else np.reshape(values, ())
    return np.reshape(values, (-1, *(1,) * (x.ndim - axis % x.ndim - 1)))


def _dequantize(inputs: Inputs, node: Node, opset: int) -> Array:
    x, scale, zero = needed(inputs, 0), needed(inputs, 1), optional(inputs, 2)
    if node.attributes.get("block_size", 0):
        raise UnsupportedError(f"{node}: has scales per block")
    axis = node.attributes.get("axis", 1)
    few_bits = x.dtype.itemsize == 1 and scale.dtype == np.float32  # exact until it is scaled
    y: Array = x.astype(np.float32 if few_bits else np.float64)
    y -= _shaped(x, zero, axis).astype(y.dtype)
    y *= _shaped(x, scale, axis)
    return y.astype(scale.dtype, copy=False)


def _quantize(inputs: Inputs, node: Node, opset: int) -> Array:
    x, scale, zero = needed(inputs, 0), needed(inputs, 1), optional(inputs, 2)
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if kind.kind not in "iu" or kind.itemsize != 1:
        raise UnsupportedError(f"{node}: only integers of 8 bits are supported")
    axis = node.attributes.get("axis", 1)
    offset = 0 if zero is None else _shaped(x, zero, axis).astype(np.int64)
    limits = np.iinfo(kind)
    steps = np.round(x / _shaped(x, scale, axis)) + offset
    return np.clip(steps, limits.min, limits.max).astype(kind)


QUANTIZED: dict[str, Fold] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
    "com.microsoft.DequantizeLinear": _dequantize,
    "com.microsoft.QuantizeLinear": _quantize,
}
