"""What moves numbers without changing them: reshape, transpose, concat, split, pad, resize."""

from math import floor

import numpy as np

from darter.engine.graph import Node
from darter.engine.lowering.attributes import integer, integers, number, text
from darter.engine.lowering.context import Lowering, unite
from darter.engine.shapes import check_axis
from darter.errors import ModelFileError, ShapeError, UnsupportedError

Dims = tuple[int, ...]
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def alias(net: Lowering, source: Node) -> None:
    """Identity: the input under another name."""
    net.alias(source)


def dropout(net: Lowering, source: Node) -> None:
    """Nothing to do, as nets in use drop nothing."""
    if any(source.outputs[1:]):
        raise UnsupportedError("a dropout mask as output is not supported")
    training = net.constant(source, 2)
    if training is not None and training.any():
        raise UnsupportedError("is in training mode; export the net in evaluation mode")
    net.alias(source)


def reshape(net: Lowering, source: Node) -> None:
    sizes = net.sizes(source, 1)
    if sizes is None:
        raise ModelFileError("does not say to which shape")
    keep_zero = bool(integer(source, "allowzero", 0))
    x = net.dims(source.inputs[0])
    pictures = net.shape(source.inputs[0])[:1] == (None,)
    both = []
    for old, new in zip(x, sizes, strict=True):
        if pictures and net.written is not None and new[:1] == (net.written,):
            new = (old[0], *new[1:])
        both.append(_resolve(old, new, keep_zero))
    if pictures and len(both[0]) == 1 and both[0] != both[1]:
        net.flatten_all(source, (both[0], both[1]))
    else:
        _emit_reshape(net, source, both[0], both[1])


def flatten(net: Lowering, source: Node) -> None:
    both = []
    for x in net.dims(source.inputs[0]):
        axis = integer(source, "axis", 1)
        axis = axis + len(x) if axis < 0 else axis
        if not 0 <= axis <= len(x):
            raise ModelFileError(f"there is no axis {axis} in {x}")
        both.append((int(np.prod(x[:axis], dtype=object)), int(np.prod(x[axis:], dtype=object))))
    _emit_reshape(net, source, *both)


def squeeze(net: Lowering, source: Node) -> None:
    axes = _axes(net, source)
    both = []
    for x in net.dims(source.inputs[0]):
        gone = {check_axis(a, x) for a in axes} if axes else {i for i, s in enumerate(x) if s == 1}
        if any(x[axis] != 1 for axis in gone):
            raise ShapeError(f"axes {axes} of {x} are not 1")
        both.append(tuple(size for axis, size in enumerate(x) if axis not in gone))
    _emit_reshape(net, source, *both)


def unsqueeze(net: Lowering, source: Node) -> None:
    axes = _axes(net, source)
    both = []
    for x in net.dims(source.inputs[0]):
        rank = len(x) + len(axes)
        places = {check_axis(axis, (1,) * rank) for axis in axes}
        if len(places) != len(axes):
            raise ModelFileError(f"axes {axes} name a place twice")
        rest = iter(x)
        both.append(tuple(1 if axis in places else next(rest) for axis in range(rank)))
    _emit_reshape(net, source, *both)


def expand(net: Lowering, source: Node) -> None:
    sizes = net.sizes(source, 1)
    if sizes is None:
        raise ModelFileError("does not say to which shape")
    x = net.dims(source.inputs[0])
    target = unite(*(np.broadcast_shapes(old, new) for old, new in zip(x, sizes, strict=True)))
    if target == net.shape(source.inputs[0]):
        net.alias(source)
    else:
        net.emit("Expand", source, source.inputs[:1], source.output, shape=target)


def transpose(net: Lowering, source: Node) -> None:
    rank = len(net.shape(source.inputs[0]))
    order = integers(source, "perm", tuple(reversed(range(rank))))
    net.emit("Transpose", source, source.inputs[:1], source.output, order=order)


def concat(net: Lowering, source: Node) -> None:
    axis = integer(source, "axis", 1)
    inputs = tuple(name for name in source.inputs if name)
    if not inputs:
        raise ModelFileError("has no inputs")
    net.emit("Concat", source, inputs, source.output, axis=check_axis(axis, net.dims(inputs[0])[0]))


def split(net: Lowering, source: Node) -> None:
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


def slice_(net: Lowering, source: Node) -> None:
    """One Slice per axis; whole axes are left out."""
    starts, ends, axes, steps = (net.constant(source, i) for i in range(1, 5))
    if starts is None or ends is None:
        raise ModelFileError("does not say from where to where")
    count = starts.size
    axes = np.arange(count) if axes is None else axes
    steps = np.ones(count, np.int64) if steps is None else steps
    if not ends.size == axes.size == steps.size == count:
        raise ModelFileError("starts, ends, axes and steps differ in number")
    name = source.inputs[0]
    shape = net.shape(name)
    cuts = []
    for start, end, axis, step in zip(
        *(v.ravel().tolist() for v in (starts, ends, axes, steps)), strict=True
    ):
        axis = check_axis(axis, net.dims(name)[0])
        if step < 1:
            raise UnsupportedError("slices backwards")
        size = shape[axis]
        if size is None:
            if start or end < 2**31 - 1 or step != 1:
                raise UnsupportedError("takes some of the pictures only")
            continue
        first, last, step = slice(start, end, step).indices(size)
        if step >= last - first > 0:  # one place; a damaged file's step may be any number
            last, step = first + 1, 1
        if (first, last, step) != (0, size, 1):
            cuts.append((axis, first, last, step))
    for part, (axis, first, last, step) in enumerate(cuts, 1):
        output = source.output if part == len(cuts) else net.between(source, f"part{part}")
        name = net.emit(
            "Slice", source, (name,), output, axis=axis, start=first, stop=last, step=step
        )
    if not cuts:
        net.alias(source)


def gather(net: Lowering, source: Node) -> None:
    """Of one place along an axis: a Slice, without that axis where the index is a plain number."""
    x = source.inputs[0]
    if x in net.flat or len(net.shape(x)) == 1:
        _gather_in_order(net, source)
        return
    index = net.constant(source, 1)
    axis = check_axis(integer(source, "axis", 0), net.dims(x)[0])
    shape = net.shape(x)
    size = shape[axis]
    if index is None or index.size != 1 or index.ndim > 1 or size is None:
        raise UnsupportedError("gathers more than one place")
    place = int(index.ravel()[0])
    place = place + size if place < 0 else place
    one = source.output if index.ndim else net.between(source, "one")
    net.emit("Slice", source, (x,), one, axis=axis, start=place, stop=place + 1)
    if not index.ndim:
        net.emit("Reshape", source, (one,), source.output, shape=shape[:axis] + shape[axis + 1 :])


def _gather_in_order(net: Lowering, source: Node) -> None:
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


def pad(net: Lowering, source: Node) -> None:
    x = net.dims(source.inputs[0])[0]
    pads, value, axes = (net.constant(source, number_) for number_ in (1, 2, 3))
    if pads is None:
        raise ModelFileError("does not say how far")
    amounts = [int(each) for each in pads.ravel()]
    places = range(len(x)) if axes is None else [check_axis(int(a), x) for a in axes.ravel()]
    if len(amounts) != 2 * len(places):
        raise ModelFileError(f"{len(amounts)} pads for {len(places)} axes")
    full = [0] * (2 * len(x))
    for number_, axis in enumerate(places):
        full[axis], full[axis + len(x)] = amounts[number_], amounts[number_ + len(places)]
    mode = text(source, "mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise UnsupportedError(f"mode {mode[:30]!r} is not supported")
    fill = 0.0 if value is None else float(value.ravel()[0])
    if not any(full):
        net.alias(source)
        return
    if len(x) != 4 or any(full[axis] for axis in (0, 1, 4, 5)):
        raise UnsupportedError(f"pads {full} of {x}: only rows and columns of (N, C, H, W)")
    net.emit(
        "Pad", source, source.inputs[:1], source.output, pads=tuple(full), mode=mode, value=fill
    )


def resize(net: Lowering, source: Node) -> None:
    shape = net.shape(source.inputs[0])
    if len(shape) != 4:
        raise UnsupportedError(f"works on (N, C, H, W) only; its input has rank {len(shape)}")
    policy = text(source, "keep_aspect_ratio_policy", "stretch")
    if integer(source, "antialias", 0) or policy != "stretch" or "axes" in source.attributes:
        raise UnsupportedError("antialias, axes and keeping the aspect ratio are not supported")
    scales, sizes = net.constant(source, 2), net.sizes(source, 3)
    hw = [int(size or 0) for size in shape[2:]]
    if sizes is not None and sizes[0]:
        target = unite(*sizes)
        if len(target) != 4 or target[:2] != shape[:2]:
            raise UnsupportedError(f"resizes {shape} to {target}; only H and W may change")
        size = tuple(int(each or 0) for each in target[2:])
        factors = [new / old for new, old in zip(size, hw, strict=True)]
    elif scales is not None and scales.size == 4 and list(scales[:2]) == [1, 1]:
        factors = [float(each) for each in scales[2:]]
        if not all(0 < each < 2**16 for each in factors):
            raise ModelFileError(f"scales {factors} cannot be meant")
        size = tuple(floor(old * each) for old, each in zip(hw, factors, strict=True))
    else:
        raise UnsupportedError("needs sizes, or scales that leave pictures and channels alone")
    coordinates = text(source, "coordinate_transformation_mode", "half_pixel")
    whole = all(old * each == new for old, each, new in zip(hw, factors, size, strict=True))
    if coordinates not in COORDINATES or (coordinates == "align_corners" and not whole):
        raise UnsupportedError(f"coordinates {coordinates[:30]!r} are not supported for {factors}")
    mode = text(source, "mode", "nearest")
    nearest = text(source, "nearest_mode", "round_prefer_floor")
    if mode not in ("nearest", "linear", "cubic") or nearest not in ROUNDINGS:
        raise ModelFileError(f"mode {mode[:30]!r} with {nearest[:30]!r} does not exist")
    net.emit(
        "Resize",
        source,
        source.inputs[:1],
        source.output,
        size=size,
        scales=tuple(factors),
        mode=mode,
        coordinates=coordinates,
        nearest=nearest,
        cubic=number(source, "cubic_coeff_a", -0.75),
        exclude_outside=bool(integer(source, "exclude_outside", 0)),
    )


def _emit_reshape(net: Lowering, source: Node, first: Dims, second: Dims) -> None:
    x = source.inputs[0]
    target = unite(first, second)
    if target == net.shape(x):
        net.alias(source)
        return
    net.emit("Reshape", source, (x,), source.output, shape=target)


def _resolve(x: Dims, target: Dims, keep_zero: bool) -> Dims:
    """ONNX's rule: 0 keeps a size, -1 is what is left."""
    sizes = list(target)
    for axis, size in enumerate(sizes):
        if size == 0 and not keep_zero:
            if axis >= len(x):
                raise ShapeError(f"keeps axis {axis}, which {x} does not have")
            sizes[axis] = x[axis]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise ShapeError(f"cannot reshape {x} to {target}")
    if -1 in sizes:
        known, total = 1, 1
        for size in sizes:
            known *= size if size != -1 else 1
        for size in x:
            total *= size
        if not known or total % known:
            raise ShapeError(f"cannot reshape {x} to {target}")
        sizes[sizes.index(-1)] = total // known
    return tuple(sizes)


def _axes(net: Lowering, source: Node) -> tuple[int, ...]:
    given = net.constant(source, 1)
    if given is not None:
        return tuple(int(axis) for axis in given.ravel())
    return integers(source, "axes", ())
