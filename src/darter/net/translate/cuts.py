"""What cuts tensors and joins them: split, slice, gather, concat."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.shapes import check_axis
from darter.net.shapes import concat as joined
from darter.net.translate.attributes import distinct_axes, integer, listed
from darter.net.translate.context import Translation, unite

MOST_PLACES = 2**16  # of an axis that are gathered


def concat(net: Translation, source: Node) -> None:
    inputs = tuple(name for name in source.inputs if name)
    if not inputs:
        raise ModelFileError("has no inputs")
    axis = check_axis(integer(source, "axis", 1), net.dims(inputs[0])[0])
    for shapes in zip(*(net.dims(name) for name in inputs), strict=True):
        joined({"axis": axis}, list(shapes))
    full = tuple(name for name in inputs if net.shape(name)[axis] != 0)
    if len(full) == 1:
        net.alias(replace(source, inputs=full))
    else:
        net.emit("Concat", source, full or inputs, source.output, axis=axis)


def split(net: Translation, source: Node) -> None:
    x = net.dims(source.inputs[0])[0]
    axis = check_axis(integer(source, "axis", 0), x)
    given = net.constant(source, 1)
    listed = source.attributes.get("split") if given is None else given.ravel()
    sizes = split_sizes(x[axis], len(source.outputs), listed)
    for name, size in zip(source.outputs, sizes, strict=True):
        if name and not size:
            net.know(
                name, *(_nothing(dims, {axis: range(0)}) for dims in net.dims(source.inputs[0]))
            )
    parts = [(name, size) for name, size in zip(source.outputs, sizes, strict=True) if size]
    if len(parts) == 1:
        net.alias(replace(source, outputs=(parts[0][0],)))
    elif parts:
        names, full = zip(*parts, strict=True)
        net.emit_many("Split", source, source.inputs[:1], names, axis=axis, sizes=full)


def split_sizes(size: int, count: int, listed: Iterable[int] | None) -> tuple[int, ...]:
    """How much each of `count` parts gets: as listed, or alike, the last one what is left."""
    if listed is None:
        each = -(-size // count)
        sizes = tuple(max(0, min(each, size - i * each)) for i in range(count))
    else:
        sizes = tuple(int(each) for each in listed)
    if len(sizes) != count or min(sizes) < 0 or sum(sizes) != size:
        raise ModelFileError(f"cannot split {size} into {count} parts of {sizes[:9]}")
    return sizes


def slice_(net: Translation, source: Node) -> None:
    """One Slice per axis; whole axes are left out."""
    starts, ends, axes, steps = (net.constant(source, i) for i in range(1, 5))
    if net.opset < 10:
        starts, ends, axes = (listed(source, name) for name in ("starts", "ends", "axes"))
    if starts is None or ends is None:
        raise ModelFileError("does not say from where to where")
    count = starts.size
    axes = np.arange(count) if axes is None else axes
    axes = np.array(distinct_axes(axes.ravel(), len(net.dims(source.inputs[0])[0])), np.int64)
    steps = np.ones(count, np.int64) if steps is None else steps
    if not ends.size == axes.size == steps.size == count:
        raise ModelFileError("starts, ends, axes and steps differ in number")
    name, places = source.inputs[0], {}
    for start, end, axis, step in zip(
        *(v.ravel().tolist() for v in (starts, ends, axes, steps)), strict=True
    ):
        taken = _taken(net.shape(name)[axis], start, end, step)
        if taken is not None:
            places[axis] = taken
    if not all(places.values()):
        net.know(source.output, *(_nothing(dims, places) for dims in net.dims(name)))
        return
    for part, (axis, taken) in enumerate(places.items(), 1):
        output = source.output if part == len(places) else net.between(source, f"part{part}")
        if taken.step < 0:
            name = net.emit("Take", source, (name,), output, axis=axis, places=tuple(taken))
            continue
        step = taken.step if len(taken) > 1 else 1  # a damaged file's may be any number
        cut = {"start": taken.start, "stop": taken[-1] + 1, "step": step}
        name = net.emit("Slice", source, (name,), output, axis=axis, **cut)
    if not places:
        net.alias(source)


def _taken(size: int | None, start: int, end: int, step: int) -> range | None:
    """The places that a slice takes of an axis (None: of the pictures); None where it is all."""
    if size is None:
        if start or end < 2**31 - 1 or step != 1:
            raise UnsupportedError("takes some of the pictures only")
        return None
    taken = slice_places(size, start, end, step)
    return None if taken == range(size) else taken


def slice_places(size: int, start: int, end: int, step: int) -> range:
    """ONNX's rule is Python's, but backwards: what lies before the first place is the first."""
    if not step:
        raise ModelFileError("slices with step 0")
    if step > 0:
        return range(*slice(start, end, step).indices(size))
    stop = None if end < -size else end
    return range(*slice(max(start, -size), stop, step).indices(size))


def _nothing(dims: tuple[int, ...], places: Mapping[int, range]) -> NDArray[np.float32]:
    """What is left where some axis keeps no place: a constant, as nothing depends on pictures."""
    return np.zeros(
        [len(places.get(axis, range(size))) for axis, size in enumerate(dims)], np.float32
    )


def gather(net: Translation, source: Node) -> None:
    """Of some places along an axis; of one, a Slice. The axis takes the shape of the indices."""
    x = source.inputs[0]
    if len(net.dims(x)[0]) == 1:
        _gather_in_order(net, source)
        return
    index = net.constant(source, 1)
    axis = check_axis(integer(source, "axis", 0), net.dims(x)[0])
    shape = net.shape(x)
    size = shape[axis]
    if index is None or index.dtype.kind not in "iu":
        raise ModelFileError("gathers at places that are no whole numbers")
    if size is None:
        raise UnsupportedError("takes some of the pictures only")
    if index.size > MOST_PLACES:
        raise UnsupportedError(f"gathers {index.size} places; darter's limit is {MOST_PLACES}")
    places = tuple(int(i) + size * (i < 0) for i in index.ravel())
    taken = source.output if index.ndim == 1 else net.between(source, "taken")
    if len(places) == 1:
        net.emit("Slice", source, (x,), taken, axis=axis, start=places[0], stop=places[0] + 1)
    else:
        net.emit("Take", source, (x,), taken, axis=axis, places=places)
    if index.ndim != 1:
        target = shape[:axis] + index.shape + shape[axis + 1 :]
        net.emit("Reshape", source, (taken,), source.output, shape=target)


def _gather_in_order(net: Translation, source: Node) -> None:
    """All numbers of a row, one after the other: a reshape (PyTorch's `as_strided`)."""
    indices = net.values.get(source.inputs[1])
    if indices is None or any(
        not np.array_equal(np.ravel(each), np.arange(size))
        for each, (size,) in zip(indices, net.dims(source.inputs[0]), strict=True)
    ):
        raise UnsupportedError("gathers more than one place")
    shape = unite(indices[0].shape, indices[1].shape)
    x = source.inputs[0]
    x = net.merged[x].apart if x in net.merged else x
    net.emit("Reshape", source, (x,), source.output, shape=shape)
