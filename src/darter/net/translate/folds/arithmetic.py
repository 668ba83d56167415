"""Elementwise arithmetic of constants, with numpy's broadcasting, which is ONNX's."""

from collections.abc import Callable
from typing import Any

import numpy as np

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.onnx.tensors import TYPES
from darter.net.translate.folds.inputs import Array, Fold, Inputs, all_of, check, needed, optional


def _arithmetic(function: Callable[..., Array]) -> Fold:
    def compute(inputs: Inputs, node: Node, opset: int) -> Array:
        arrays = [np.asarray(each) for each in inputs if each is not None]
        check(*np.broadcast_shapes(*(each.shape for each in arrays)))
        result = function(*arrays)
        return result if result.dtype == np.bool_ else result.astype(arrays[0].dtype, copy=False)

    return compute


def _divide(a: Array, b: Array) -> Array:
    """Integers are divided as in C: towards zero."""
    if a.dtype.kind == "f":
        return a / b
    if not b.all():
        raise ModelFileError("divides by zero")
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def _extreme(function: np.ufunc) -> Callable[..., Array]:
    """Of any number of arrays: np.minimum or np.maximum of all."""
    return lambda *each: function.reduce(np.broadcast_arrays(*each))


def _mod(inputs: Inputs, node: Node, opset: int) -> Any:
    return _arithmetic(np.fmod if node.attributes.get("fmod") else np.mod)(inputs, node, opset)


def _shift(inputs: Inputs, node: Node, opset: int) -> Any:
    left = node.attributes.get("direction") == "LEFT"
    return _arithmetic(np.left_shift if left else np.right_shift)(inputs, node, opset)


def _clip(inputs: Inputs, node: Node, opset: int) -> Array:
    x = needed(inputs, 0)
    if opset < 11:
        given = node.attributes
        bounds = (given.get("min", -np.inf), given.get("max", np.inf))
        return np.clip(x, *bounds).astype(x.dtype)
    low, high = optional(inputs, 1), optional(inputs, 2)
    x = x if low is None else np.maximum(x, low.ravel()[0])
    return x if high is None else np.minimum(x, high.ravel()[0])


def _where(inputs: Inputs, node: Node, opset: int) -> Array:
    condition, a, b = all_of(inputs)
    check(*np.broadcast_shapes(condition.shape, a.shape, b.shape))
    return np.where(condition, a, b)


def _cast(inputs: Inputs, node: Node, opset: int) -> Array:
    kind = node.attributes["to"]
    if kind not in TYPES:
        raise UnsupportedError(f"{node}: elements of type {kind} are not supported")
    return needed(inputs, 0).astype(TYPES[kind][0])


def _cast_like(inputs: Inputs, node: Node, opset: int) -> Array:
    return needed(inputs, 0).astype(needed(inputs, 1).dtype)


ARITHMETIC: dict[str, Fold] = {
    "Add": _arithmetic(np.add),
    "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply),
    "Div": _arithmetic(_divide),
    "Mod": _mod,
    "Pow": _arithmetic(np.power),
    "Min": _arithmetic(_extreme(np.minimum)),
    "Max": _arithmetic(_extreme(np.maximum)),
    "Neg": _arithmetic(np.negative),
    "Abs": _arithmetic(np.abs),
    "Floor": _arithmetic(np.floor),
    "Ceil": _arithmetic(np.ceil),
    "Round": _arithmetic(np.round),
    "Sqrt": _arithmetic(np.sqrt),
    "Exp": _arithmetic(np.exp),
    "Log": _arithmetic(np.log),
    "Reciprocal": _arithmetic(np.reciprocal),
    "Sin": _arithmetic(np.sin),
    "Cos": _arithmetic(np.cos),
    "Sign": _arithmetic(np.sign),
    "Tanh": _arithmetic(np.tanh),
    "Relu": _arithmetic(lambda x: np.maximum(x, 0)),
    "Sigmoid": _arithmetic(lambda x: 1 / (1 + np.exp(-x))),
    "Clip": _clip,
    "Not": _arithmetic(np.logical_not),
    "And": _arithmetic(np.logical_and),
    "Or": _arithmetic(np.logical_or),
    "Xor": _arithmetic(np.logical_xor),
    "Equal": _arithmetic(np.equal),
    "Less": _arithmetic(np.less),
    "Greater": _arithmetic(np.greater),
    "LessOrEqual": _arithmetic(np.less_equal),
    "GreaterOrEqual": _arithmetic(np.greater_equal),
    "BitShift": _shift,
    "BitwiseAnd": _arithmetic(np.bitwise_and),
    "Where": _where,
    "Cast": _cast,
    "CastLike": _cast_like,
}
