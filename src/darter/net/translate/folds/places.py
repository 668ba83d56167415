"""What moves, cuts, joins and repeats constants, and what says how large they are."""

from math import prod

import numpy as np

from darter.errors import ShapeError, UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import distinct_axes
from darter.net.translate.cuts import slice_places, split_sizes
from darter.net.translate.folds.inputs import Array, Fold, Inputs, all_of, check, needed, optional

# They do not look at the numbers that they are given.
VIEWS = ("Shape", "Size", "Expand", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity")


def axes_of(inputs: Inputs, node: Node, rank: int) -> tuple[int, ...]:
    """The axes that a node names, as an input or an attribute by its opset; all, if it does not."""
    given = optional(inputs, 1)
    named = node.attributes.get("axes") if given is None else given
    return distinct_axes(range(rank) if named is None else np.ravel(named), rank)


def part_of_shape(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What a Shape node takes of a shape."""
    return shape[node.attributes.get("start", 0) : node.attributes.get("end")]


def _shape(inputs: Inputs, node: Node, opset: int) -> Array:
    return np.array(part_of_shape(node, needed(inputs, 0).shape), np.int64)


def _size(inputs: Inputs, node: Node, opset: int) -> Array:
    return np.array(needed(inputs, 0).size, np.int64)


def _identity(inputs: Inputs, node: Node, opset: int) -> Array:
    return needed(inputs, 0)


def _transpose(inputs: Inputs, node: Node, opset: int) -> Array:
    return np.transpose(needed(inputs, 0), node.attributes.get("perm"))


def _reshape(inputs: Inputs, node: Node, opset: int) -> Array:
    x, target = all_of(inputs)
    sizes = [x.shape[i] if size == 0 else int(size) for i, size in enumerate(target)]
    return x.reshape(sizes)


def _flatten(inputs: Inputs, node: Node, opset: int) -> Array:
    x, axis = needed(inputs, 0), node.attributes.get("axis", 1)
    return x.reshape(prod(x.shape[: axis if axis >= 0 else x.ndim + axis]), -1)


def _squeeze(inputs: Inputs, node: Node, opset: int) -> Array:
    x = needed(inputs, 0)
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    given = optional(inputs, 1) is not None or "axes" in node.attributes
    return np.squeeze(x, axes_of(inputs, node, x.ndim) if given else tuple(ones))


def _unsqueeze(inputs: Inputs, node: Node, opset: int) -> Array:
    x = needed(inputs, 0)
    given = needed(inputs, 1) if len(inputs) > 1 else node.attributes.get("axes", ())
    if np.size(given) > 8:
        raise ShapeError(f"{np.size(given)} axes cannot be meant")
    return np.expand_dims(x, distinct_axes(np.ravel(given), x.ndim + np.size(given)))


def _slice(inputs: Inputs, node: Node, opset: int) -> Array:
    x = needed(inputs, 0)
    if opset < 10:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes"), [1] * len(starts)
    else:
        starts, ends = needed(inputs, 1), needed(inputs, 2)
        axes, given = optional(inputs, 3), optional(inputs, 4)
        steps = [1] * len(starts) if given is None else given.tolist()
    axes = range(len(starts)) if axes is None else axes
    parts = [slice(None)] * x.ndim
    for axis, *cut in zip(distinct_axes(axes, x.ndim), starts, ends, steps, strict=True):
        places = slice_places(x.shape[axis], *map(int, cut))
        stop = None if places.stop < 0 else places.stop
        parts[axis] = slice(places.start, stop, places.step) if places else slice(0)
    return x[tuple(parts)]


def _gather(inputs: Inputs, node: Node, opset: int) -> Array:
    x, indices = all_of(inputs)
    axis = node.attributes.get("axis", 0)
    check(*np.delete(x.shape, axis), *indices.shape)
    return np.take(x, indices.astype(np.int64), axis=axis)


def _gather_nd(inputs: Inputs, node: Node, opset: int) -> Array:
    """indices (..., n): each row names a place on the first n axes of x."""
    x, indices = all_of(inputs)
    if node.attributes.get("batch_dims", 0):
        raise UnsupportedError(f"{node}: batch_dims are not supported")
    check(*indices.shape[:-1], *x.shape[indices.shape[-1] :])
    return x[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))]


def _concat(inputs: Inputs, node: Node, opset: int) -> Array:
    arrays = all_of(inputs)
    check(sum(each.size for each in arrays))
    return np.concatenate(arrays, axis=node.attributes["axis"])


def _split(inputs: Inputs, node: Node, opset: int) -> list[Array]:
    x, given, axis = needed(inputs, 0), optional(inputs, 1), node.attributes.get("axis", 0)
    listed = node.attributes.get("split") if given is None else given.ravel()
    sizes = split_sizes(x.shape[axis], len(node.outputs), listed)
    return np.split(x, np.cumsum(sizes)[:-1], axis=axis)


def _expand(inputs: Inputs, node: Node, opset: int) -> Array:
    x, target = all_of(inputs)
    return np.broadcast_to(x, check(*np.broadcast_shapes(x.shape, tuple(map(int, target)))))


def _tile(inputs: Inputs, node: Node, opset: int) -> Array:
    x, repeats = all_of(inputs)
    check(*(int(size) * int(times) for size, times in zip(x.shape, repeats, strict=True)))
    return np.tile(x, repeats)


def _fill(inputs: Inputs, node: Node, opset: int) -> Array:
    value = np.ravel(node.attributes.get("value", np.zeros(1, np.float32)))[0]
    shape = check(*needed(inputs, 0).ravel())
    return np.broadcast_to(value, shape)  # takes no memory until it is used


def _range(inputs: Inputs, node: Node, opset: int) -> Array:
    start, stop, step = (each.ravel()[0] for each in all_of(inputs))
    check(max(0, int(np.ceil((float(stop) - float(start)) / float(step)))))
    return np.arange(start, stop, step, dtype=needed(inputs, 0).dtype)


PLACES: dict[str, Fold] = {
    "Shape": _shape,
    "Size": _size,
    "Identity": _identity,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Slice": _slice,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Concat": _concat,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _fill,
    "Range": _range,
}
