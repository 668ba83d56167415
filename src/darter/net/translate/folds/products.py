"""Products, sums and statistics of constants."""

from collections.abc import Callable
from math import prod

import numpy as np

from darter.errors import ShapeError
from darter.net.graph import Node
from darter.net.translate.folds.inputs import Array, Fold, Inputs, all_of, check, needed
from darter.net.translate.folds.places import axes_of

MOST_PRODUCTS, MOST_WHOLE_PRODUCTS = 2**35, 2**30  # seconds; whole numbers have no fast product


def _matmul(inputs: Inputs, node: Node, opset: int) -> Array:
    """numpy's rule for products is ONNX's: axes but the last two are batches and broadcast."""
    a, b = all_of(inputs)
    batches = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = check(*batches, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ()))
    if prod(shape) * a.shape[-1] > (MOST_PRODUCTS if a.dtype.kind == "f" else MOST_WHOLE_PRODUCTS):
        raise ShapeError(f"a product of constants {a.shape} and {b.shape} cannot be meant")
    return a @ b


def _reduce(function: Callable[..., Array]) -> Fold:
    def compute(inputs: Inputs, node: Node, opset: int) -> Array:
        x = needed(inputs, 0)
        axes = axes_of(inputs, node, x.ndim)
        if not axes and not node.attributes.get("noop_with_empty_axes", 0):
            axes = tuple(range(x.ndim))
        keep = bool(node.attributes.get("keepdims", 1))
        return function(x, axis=axes, keepdims=keep).astype(x.dtype)

    return compute


def _cumulative(inputs: Inputs, node: Node, opset: int) -> Array:
    x, axis = needed(inputs, 0), int(needed(inputs, 1).ravel()[0])
    if node.attributes.get("reverse"):
        return np.flip(_sums_before(np.flip(x, axis), axis, node), axis)
    return _sums_before(x, axis, node)


def _sums_before(x: Array, axis: int, node: Node) -> Array:
    sums = np.cumsum(x, axis, dtype=x.dtype)
    return sums - x if node.attributes.get("exclusive") else sums


def _batch_norm(inputs: Inputs, node: Node, opset: int) -> Array:
    """In training mode of its own mean and variance: how weights are standardized."""
    given = all_of(inputs)
    x, gamma, beta, mean, variance = (np.asarray(each, np.float64) for each in given)
    shape = (-1,) + (1,) * (x.ndim - 2)
    if node.attributes.get("training_mode", 0):
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean, variance = x.mean(axes), x.var(axes)
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    y = (x - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)
    return y.astype(given[0].dtype)


PRODUCTS: dict[str, Fold] = {
    "MatMul": _matmul,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMean": _reduce(np.mean),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "CumSum": _cumulative,
    "BatchNormalization": _batch_norm,
}
