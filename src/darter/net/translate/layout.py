"""What gives numbers another shape or order and changes nothing: reshape, transpose, expand."""

from dataclasses import replace
from math import prod

import numpy as np

from darter.errors import ModelFileError, ShapeError, UnsupportedError
from darter.net.graph import Node, Shape
from darter.net.translate.attributes import distinct_axes, integer, integers
from darter.net.translate.context import BATCHES, Merged, Translation, unite

Dims = tuple[int, ...]


def alias(net: Translation, source: Node) -> None:
    """Identity: the input under another name."""
    net.alias(source)


def dropout(net: Translation, source: Node) -> None:
    """Nothing to do, as nets in use drop nothing."""
    if any(source.outputs[1:]):
        raise UnsupportedError("a dropout mask as output is not supported")
    training = net.constant(source, 2)
    if training is not None and training.any():
        raise UnsupportedError("is in training mode; export the net in evaluation mode")
    net.alias(source)


def reshape(net: Translation, source: Node) -> None:
    sizes = net.sizes(source, 1)
    if sizes is None:
        raise ModelFileError("does not say to which shape")
    keep_zero = bool(integer(source, "allowzero", 0))
    pictures_first = net.shape(_apart(net, source.inputs[0]))[:1] == (None,)
    both = []
    for batch, old, new in zip(BATCHES, net.dims(source.inputs[0]), sizes, strict=True):
        if pictures_first and net.written is not None:
            new = _for_pictures(old, new, batch, net.written)
        both.append(_resolve(old, new, keep_zero))
    _emit_reshape(net, source, both[0], both[1])


def _for_pictures(old: Dims, new: Dims, batch: int, written: int) -> Dims:
    """The target as it is for `batch` pictures, in a file that was written for another number.

    Its first axis is the pictures, or pictures and rows on one axis.
    """
    if new[:1] == (written,):
        return (batch, *new[1:])
    if new and min(new) > 0 and not new[0] % written and prod(new) * batch == prod(old) * written:
        return (new[0] // written * batch, *new[1:])
    return new


def flatten(net: Translation, source: Node) -> None:
    both = []
    for x in net.dims(source.inputs[0]):
        axis = integer(source, "axis", 1)
        axis = axis + len(x) if axis < 0 else axis
        if not 0 <= axis <= len(x):
            raise ModelFileError(f"there is no axis {axis} in {x}")
        both.append((int(np.prod(x[:axis], dtype=object)), int(np.prod(x[axis:], dtype=object))))
    _emit_reshape(net, source, *both)


def squeeze(net: Translation, source: Node) -> None:
    axes = _axes(net, source)
    both = []
    for x in net.dims(source.inputs[0]):
        ones = (i for i, size in enumerate(x) if size == 1)
        gone = set(distinct_axes(axes, len(x)) if axes else ones)
        if any(x[axis] != 1 for axis in gone):
            raise ShapeError(f"axes {axes} of {x} are not 1")
        both.append(tuple(size for axis, size in enumerate(x) if axis not in gone))
    _emit_reshape(net, source, *both)


def unsqueeze(net: Translation, source: Node) -> None:
    axes = _axes(net, source)
    both = []
    for x in net.dims(source.inputs[0]):
        rank = len(x) + len(axes)
        places = distinct_axes(axes, rank)
        rest = iter(x)
        both.append(tuple(1 if axis in places else next(rest) for axis in range(rank)))
    _emit_reshape(net, source, *both)


def expand(net: Translation, source: Node) -> None:
    sizes = net.sizes(source, 1)
    if sizes is None:
        raise ModelFileError("does not say to which shape")
    x = net.dims(source.inputs[0])
    both = [np.broadcast_shapes(old, new) for old, new in zip(x, sizes, strict=True)]
    if 0 in both[0]:
        net.know(source.output, *(np.zeros(shape, np.float32) for shape in both))
        return
    target = unite(*both)
    if target == net.shape(source.inputs[0]):
        net.alias(source)
    else:
        net.emit("Expand", source, source.inputs[:1], source.output, shape=target)


def transpose(net: Translation, source: Node) -> None:
    rank = len(net.shape(source.inputs[0]))
    order = integers(source, "perm", tuple(reversed(range(rank))))
    net.emit("Transpose", source, source.inputs[:1], source.output, order=order)


def _emit_reshape(net: Translation, source: Node, first: Dims, second: Dims) -> None:
    """first, second: the new shape for either number of pictures."""
    x = _apart(net, source.inputs[0])
    at, lead, apart = _with_pictures_apart(net.shape(x), first, second)
    output = source.output if lead == 1 else f"{source.output}.apart"
    made = replace(source, inputs=(x,), outputs=(output,))
    if apart == net.shape(x):
        net.alias(made)
    else:
        net.emit("Reshape", made, (x,), output, shape=apart)
    if lead > 1:
        net.merge(source.output, Merged(output, at, lead))


def _apart(net: Translation, name: str) -> str:
    return net.merged[name].apart if name in net.merged else name


def _with_pictures_apart(x: Shape, first: Dims, second: Dims) -> tuple[int, int, Shape]:
    """`Merged.at` and `lead`, and the new shape with pictures apart; lead is 1 where they are.

    Numbers keep their order: as many rows lie before the pictures of x as before those apart.
    """
    pairs = [*zip(first, second, strict=True)] if len(first) == len(second) else []
    merged = [axis for axis, (one, other) in enumerate(pairs) if one != other]
    if None not in x or len(merged) != 1:
        return 0, 1, unite(first, second)
    (at,) = merged
    rows = first[at] // BATCHES[0]
    before, outer = prod(size or 1 for size in x[: x.index(None)]), prod(first[:at])
    if pairs[at] != tuple(rows * batch for batch in BATCHES) or not outer or before % outer:
        return 0, 1, unite(first, second)
    before //= outer
    if rows < 2 or rows % before:
        return 0, 1, unite(first, second)
    behind = rows // before
    middle = (*(before,) * (before > 1), None, *(behind,) * (behind > 1))
    return at, len(middle), (*first[:at], *middle, *first[at + 1 :])


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


def _axes(net: Translation, source: Node) -> tuple[int, ...]:
    given = net.constant(source, 1)
    if given is not None:
        return tuple(int(axis) for axis in given.ravel())
    return integers(source, "axes", ())
