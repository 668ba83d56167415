"""What cuts tensors and joins them: split, slice, gather, concat."""

import numpy as np

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.shapes import check_axis
from darter.net.translate.attributes import integer, listed
from darter.net.translate.context import Translation, unite

MOST_PLACES = 2**16  # of an axis that are gathered


def concat(net: Translation, source: Node) -> None:
    axis = integer(source, "axis", 1)
    inputs = tuple(name for name in source.inputs if name)
    if not inputs:
        raise ModelFileError("has no inputs")
    net.emit("Concat", source, inputs, source.output, axis=check_axis(axis, net.dims(inputs[0])[0]))


def split(net: Translation, source: Node) -> None:
    x = net.dims(source.inputs[0])[0]
    axis = check_axis(integer(source, "axis", 0), x)
    given = net.constant(source, 1)
    listed = source.attributes.get("split") if given is None else tuple(map(int, given.ravel()))
    if listed is None:
        each = -(-x[axis] // len(source.outputs))
        full = [each] * (len(source.outputs) - 1)
        listed = (*full, x[axis] - sum(full))
    if len(listed) != len(source.outputs):
        raise ModelFileError(f"splits into {len(listed)} parts but names {len(source.outputs)}")
    net.emit_many(
        "Split", source, source.inputs[:1], source.outputs, axis=axis, sizes=tuple(listed)
    )


def slice_(net: Translation, source: Node) -> None:
    """One Slice per axis; whole axes are left out."""
    starts, ends, axes, steps = (net.constant(source, i) for i in range(1, 5))
    if net.opset < 10:
        starts, ends, axes = (listed(source, name) for name in ("starts", "ends", "axes"))
    if starts is None or ends is None:
        raise ModelFileError("does not say from where to where")
    count = starts.size
    axes = np.arange(count) if axes is None else axes
    steps = np.ones(count, np.int64) if steps is None else steps
    if not ends.size == axes.size == steps.size == count:
        raise ModelFileError("starts, ends, axes and steps differ in number")
    name = source.inputs[0]
    shape = net.shape(name)
    cuts: list[tuple[str, dict[str, object]]] = []
    for start, end, axis, step in zip(
        *(v.ravel().tolist() for v in (starts, ends, axes, steps)), strict=True
    ):
        axis = check_axis(axis, net.dims(name)[0])
        if not step:
            raise ModelFileError("slices with step 0")
        size = shape[axis]
        if size is None:
            if start or end < 2**31 - 1 or step != 1:
                raise UnsupportedError("takes some of the pictures only")
            continue
        if step < 0:
            stop = None if end < -size else end  # ONNX's "before the first"
            places = tuple(range(*slice(start, stop, step).indices(size)))
            cuts.append(("Take", {"axis": axis, "places": places}))
            continue
        first, last, step = slice(start, end, step).indices(size)
        if step >= last - first > 0:  # one place; a damaged file's step may be any number
            last, step = first + 1, 1
        if (first, last, step) != (0, size, 1):
            cut: dict[str, object] = {"axis": axis, "start": first, "stop": last, "step": step}
            cuts.append(("Slice", cut))
    for part, (op, attributes) in enumerate(cuts, 1):
        output = source.output if part == len(cuts) else net.between(source, f"part{part}")
        name = net.emit(op, source, (name,), output, **attributes)
    if not cuts:
        net.alias(source)


def gather(net: Translation, source: Node) -> None:
    """Of some places along an axis; of one, a Slice. The axis takes the shape of the indices."""
    x = source.inputs[0]
    if x in net.flat or len(net.shape(x)) == 1:
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
    x = net.flat.get(source.inputs[0], source.inputs[0])
    net.emit("Reshape", source, (x,), source.output, shape=shape)
