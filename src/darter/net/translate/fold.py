"""Operations on constants, worked out when the file is read: mostly arithmetic on shapes.

`FOLDS` maps ONNX's names to functions of (inputs, node, opset); absent inputs are None. Results
are checked to be small before they are made: a damaged file must not fill the memory.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, ShapeError, UnsupportedError
from darter.net.graph import Node
from darter.net.onnx.tensors import TYPES
from darter.net.translate.attributes import distinct_axes
from darter.net.translate.cuts import slice_places, split_sizes

MOST_ELEMENTS = 2**27  # of a constant that is computed: the first linear layer of VGG has 2**26.6
MOST_PRODUCTS, MOST_WHOLE_PRODUCTS = 2**35, 2**30  # seconds; whole numbers have no fast product
Inputs = list[NDArray[Any] | None]
Fold = Callable[[Any, Node, int], Any]


def fold(node: Node, inputs: Inputs, opset: int) -> list[NDArray[Any]]:
    """The outputs of a node whose inputs are all constants.

    Raises ModelFileError if values do not fit together, ShapeError if a result would be huge.
    """
    try:
        with np.errstate(all="ignore"):
            result = FOLDS[node.op](inputs, node, opset)
    except ModelFileError as error:
        raise ModelFileError(f"{node}: {error}") from None
    except (ArithmeticError, AttributeError, IndexError, LookupError, TypeError, ValueError) as e:
        if isinstance(e, ShapeError):
            raise ShapeError(f"{node}: {e}") from None
        raise ModelFileError(f"{node}: its constants do not fit: {e}") from e
    return list(result) if isinstance(result, list) else [np.asarray(result)]


def check(*shape: int) -> tuple[int, ...]:
    shape = tuple(int(size) for size in shape)
    if min(shape, default=0) < 0 or prod(shape) > MOST_ELEMENTS or len(shape) > 8:
        raise ShapeError(f"a constant of shape {shape[:8]} cannot be meant")
    return shape


def _arithmetic(function: Callable[..., Any]) -> Fold:
    def compute(inputs: Inputs, node: Node, opset: int) -> Any:
        arrays = [np.asarray(each) for each in inputs if each is not None]
        check(*np.broadcast_shapes(*(each.shape for each in arrays)))
        result = function(*arrays)
        return result if result.dtype == np.bool_ else result.astype(arrays[0].dtype, copy=False)

    return compute


def _divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Integers are divided as in C: towards zero."""
    if a.dtype.kind == "f":
        return a / b
    if not b.all():
        raise ModelFileError("divides by zero")
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def _axes(inputs: Inputs, node: Node, rank: int) -> tuple[int, ...]:
    given = inputs[1] if len(inputs) > 1 and inputs[1] is not None else node.attributes.get("axes")
    return distinct_axes(range(rank) if given is None else np.ravel(given), rank)


def _reduce(function: Callable[..., Any]) -> Fold:
    def compute(inputs: Inputs, node: Node, opset: int) -> Any:
        rank = inputs[0].ndim  # type: ignore[union-attr]
        axes = _axes(inputs, node, rank)
        if not axes and not node.attributes.get("noop_with_empty_axes", 0):
            axes = tuple(range(rank))
        keep = bool(node.attributes.get("keepdims", 1))
        return function(inputs[0], axis=axes, keepdims=keep).astype(inputs[0].dtype)  # type: ignore[union-attr]

    return compute


def _reshape(inputs: Any, node: Node, opset: int) -> Any:
    x, target = inputs
    sizes = [x.shape[i] if size == 0 else int(size) for i, size in enumerate(target)]
    return x.reshape(sizes)


def _squeeze(inputs: Any, node: Node, opset: int) -> Any:
    x = inputs[0]
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    given = (len(inputs) > 1 and inputs[1] is not None) or "axes" in node.attributes
    return np.squeeze(x, _axes(inputs, node, x.ndim) if given else tuple(ones))


def _slice(inputs: Any, node: Node, opset: int) -> Any:
    if opset < 10:
        given = node.attributes
        inputs = [inputs[0], given["starts"], given["ends"], given.get("axes")]
    x, starts, ends, *rest = inputs
    axes = rest[0] if rest and rest[0] is not None else range(len(starts))
    steps = rest[1] if len(rest) > 1 and rest[1] is not None else [1] * len(starts)
    parts = [slice(None)] * x.ndim
    for axis, *cut in zip(distinct_axes(axes, x.ndim), starts, ends, steps, strict=True):
        places = slice_places(x.shape[axis], *map(int, cut))
        stop = None if places.stop < 0 else places.stop
        parts[axis] = slice(places.start, stop, places.step) if places else slice(0)
    return x[tuple(parts)]


def _cast(inputs: Any, node: Node, opset: int) -> Any:
    kind = node.attributes["to"]
    if kind not in TYPES:
        raise UnsupportedError(f"{node}: elements of type {kind} are not supported")
    return inputs[0].astype(TYPES[kind][0])


def _fill(inputs: Any, node: Node, opset: int) -> Any:
    value = np.ravel(node.attributes.get("value", np.zeros(1, np.float32)))[0]
    return np.broadcast_to(value, check(*inputs[0].ravel()))  # takes no memory until it is used


def _range(inputs: Any, node: Node, opset: int) -> Any:
    start, stop, step = (each.ravel()[0] for each in inputs)
    check(max(0, int(np.ceil((float(stop) - float(start)) / float(step)))))
    return np.arange(start, stop, step, dtype=inputs[0].dtype)


def _gather(inputs: Any, node: Node, opset: int) -> Any:
    x, indices = inputs
    axis = node.attributes.get("axis", 0)
    check(*np.delete(x.shape, axis), *indices.shape)
    return np.take(x, indices.astype(np.int64), axis=axis)


def _gather_nd(inputs: Any, node: Node, opset: int) -> Any:
    """indices (..., n): each row names a place on the first n axes of x."""
    x, indices = inputs
    if node.attributes.get("batch_dims", 0):
        raise UnsupportedError(f"{node}: batch_dims are not supported")
    check(*indices.shape[:-1], *x.shape[indices.shape[-1] :])
    return x[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))]


def _concat(inputs: Any, node: Node, opset: int) -> Any:
    check(sum(each.size for each in inputs))
    return np.concatenate(inputs, axis=node.attributes["axis"])


def _split(inputs: Any, node: Node, opset: int) -> Any:
    axis, listed = node.attributes.get("axis", 0), node.attributes.get("split")
    if len(inputs) > 1 and inputs[1] is not None:
        listed = inputs[1].ravel()
    sizes = split_sizes(inputs[0].shape[axis], len(node.outputs), listed)
    return np.split(inputs[0], np.cumsum(sizes)[:-1], axis=axis)


def _expand(inputs: Any, node: Node, opset: int) -> Any:
    x, target = inputs
    return np.broadcast_to(x, check(*np.broadcast_shapes(x.shape, tuple(map(int, target)))))


def _tile(inputs: Any, node: Node, opset: int) -> Any:
    x, repeats = inputs
    check(*(int(size) * int(times) for size, times in zip(x.shape, repeats, strict=True)))
    return np.tile(x, repeats)


def _unsqueeze(inputs: Any, node: Node, opset: int) -> Any:
    given = inputs[1] if len(inputs) > 1 else node.attributes.get("axes", ())
    if np.size(given) > 8:
        raise ShapeError(f"{np.size(given)} axes cannot be meant")
    return np.expand_dims(
        inputs[0], distinct_axes(np.ravel(given), inputs[0].ndim + np.size(given))
    )


def _matmul(inputs: Any, node: Node, opset: int) -> Any:
    """numpy's rule for products is ONNX's: axes but the last two are batches and broadcast."""
    a, b = inputs
    batches = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = check(*batches, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ()))
    if prod(shape) * a.shape[-1] > (MOST_PRODUCTS if a.dtype.kind == "f" else MOST_WHOLE_PRODUCTS):
        raise ShapeError(f"a product of constants {a.shape} and {b.shape} cannot be meant")
    return a @ b


def _flatten(inputs: Any, node: Node, opset: int) -> Any:
    x, axis = inputs[0], node.attributes.get("axis", 1)
    return x.reshape(prod(x.shape[: axis if axis >= 0 else x.ndim + axis]), -1)


def _clip(inputs: Any, node: Node, opset: int) -> Any:
    if opset < 11:
        given = node.attributes
        bounds = (given.get("min", -np.inf), given.get("max", np.inf))
        return np.clip(inputs[0], *bounds).astype(inputs[0].dtype)
    x, low, high = (*inputs, None, None)[:3]
    x = x if low is None else np.maximum(x, low.ravel()[0])
    return x if high is None else np.minimum(x, high.ravel()[0])


def _cumulative(inputs: Any, node: Node, opset: int) -> Any:
    x, axis = inputs[0], int(inputs[1].ravel()[0])
    if node.attributes.get("reverse"):
        return np.flip(_sums_before(np.flip(x, axis), axis, node), axis)
    return _sums_before(x, axis, node)


def _sums_before(x: NDArray[Any], axis: int, node: Node) -> NDArray[Any]:
    sums = np.cumsum(x, axis, dtype=x.dtype)
    return sums - x if node.attributes.get("exclusive") else sums


def _batch_norm(inputs: Any, node: Node, opset: int) -> Any:
    """In training mode of its own mean and variance: how weights are standardized."""
    x, gamma, beta, mean, variance = (np.asarray(each, np.float64) for each in inputs)
    shape = (-1,) + (1,) * (x.ndim - 2)
    if node.attributes.get("training_mode", 0):
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean, variance = x.mean(axes), x.var(axes)
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    y = (x - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)
    return y.astype(inputs[0].dtype)


def _shaped(x: Any, values: Any, axis: int) -> Any:
    """A scale or zero point, one or one per channel, as it broadcasts to x."""
    if values is None or np.size(values) == 1:
        return np.zeros((), x.dtype) if values is None else np.reshape(values, ())
    return np.reshape(values, (-1, *(1,) * (x.ndim - axis % x.ndim - 1)))


def _dequantize(inputs: Any, node: Node, opset: int) -> Any:
    x, scale, zero = [*inputs, None][:3]
    if node.attributes.get("block_size", 0):
        raise UnsupportedError(f"{node}: has scales per block")
    axis = node.attributes.get("axis", 1)
    few_bits = x.dtype.itemsize == 1 and scale.dtype == np.float32  # exact until it is scaled
    y = x.astype(np.float32 if few_bits else np.float64)
    y -= _shaped(x, zero, axis).astype(y.dtype)
    y *= _shaped(x, scale, axis)
    return y.astype(scale.dtype, copy=False)


def _quantize(inputs: Any, node: Node, opset: int) -> Any:
    x, scale, zero = [*inputs, None][:3]
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if kind.kind not in "iu" or kind.itemsize != 1:
        raise UnsupportedError(f"{node}: only integers of 8 bits are supported")
    axis = node.attributes.get("axis", 1)
    offset = 0 if zero is None else _shaped(x, zero, axis).astype(np.int64)
    limits = np.iinfo(kind)
    steps = np.round(x / _shaped(x, scale, axis)) + offset
    return np.clip(steps, limits.min, limits.max).astype(kind)


FOLDS: dict[str, Fold] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
    "com.microsoft.DequantizeLinear": _dequantize,
    "com.microsoft.QuantizeLinear": _quantize,
    "Add": _arithmetic(np.add),
    "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply),
    "Div": _arithmetic(_divide),
    "Mod": lambda i, n, o: _arithmetic(np.fmod if n.attributes.get("fmod") else np.mod)(i, n, o),
    "Pow": _arithmetic(np.power),
    "Min": _arithmetic(lambda *each: np.minimum.reduce(np.broadcast_arrays(*each))),
    "Max": _arithmetic(lambda *each: np.maximum.reduce(np.broadcast_arrays(*each))),
    "Neg": _arithmetic(np.negative),
    "Abs": _arithmetic(np.abs),
    "Floor": _arithmetic(np.floor),
    "Ceil": _arithmetic(np.ceil),
    "Round": _arithmetic(np.round),
    "Sqrt": _arithmetic(np.sqrt),
    "Exp": _arithmetic(np.exp),
    "Log": _arithmetic(np.log),
    "Reciprocal": _arithmetic(np.reciprocal),
    "Relu": _arithmetic(lambda x: np.maximum(x, 0)),
    "Sigmoid": _arithmetic(lambda x: 1 / (1 + np.exp(-x))),
    "Clip": _clip,
    "Not": _arithmetic(np.logical_not),
    "And": _arithmetic(np.logical_and),
    "Or": _arithmetic(np.logical_or),
    "Equal": _arithmetic(np.equal),
    "Less": _arithmetic(np.less),
    "Greater": _arithmetic(np.greater),
    "LessOrEqual": _arithmetic(np.less_equal),
    "GreaterOrEqual": _arithmetic(np.greater_equal),
    "Xor": _arithmetic(np.logical_xor),
    "BitShift": lambda i, n, o: _arithmetic(
        np.left_shift if n.attributes.get("direction") == "LEFT" else np.right_shift
    )(i, n, o),
    "BitwiseAnd": _arithmetic(np.bitwise_and),
    "Sin": _arithmetic(np.sin),
    "Cos": _arithmetic(np.cos),
    "Sign": _arithmetic(np.sign),
    "Tanh": _arithmetic(np.tanh),
    "CumSum": _cumulative,
    "GatherND": _gather_nd,
    "BatchNormalization": _batch_norm,
    "Where": lambda i, n, o: np.where(*_same_shapes(i)),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMean": _reduce(np.mean),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "Cast": _cast,
    "CastLike": lambda i, n, o: i[0].astype(i[1].dtype),
    "Identity": lambda i, n, o: i[0],
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda i, n, o: np.transpose(i[0], n.attributes.get("perm")),
    "Slice": _slice,
    "Gather": _gather,
    "Concat": _concat,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _fill,
    "Range": _range,
    "MatMul": _matmul,
    "Shape": lambda i, n, o: np.array(part_of_shape(n, i[0].shape), np.int64),
    "Size": lambda i, n, o: np.array(i[0].size, np.int64),
}


# They do not look at the numbers that they are given.
VIEWS = ("Shape", "Size", "Expand", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity")


def part_of_shape(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What a Shape node takes of a shape."""
    return shape[node.attributes.get("start", 0) : node.attributes.get("end")]


def _same_shapes(inputs: Any) -> Any:
    check(*np.broadcast_shapes(*(each.shape for each in inputs)))
    return inputs
