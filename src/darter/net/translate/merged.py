"""Rows of all pictures on one axis, (N * T, ...), as exporters write a layer that takes rows.

darter keeps pictures on an axis of their own: what the file has as (N * T, C) is computed as
(N, T, C), the same numbers in the same order. `ROWWISE` says which operations may stand between,
and how: those that treat every row alike and by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from darter.errors import UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import distinct_axes, integer, integers
from darter.net.translate.boxes import align_regions_apart
from darter.net.translate.context import Merged, Translation
from darter.net.translate.elementwise import scale_and_shift
from darter.net.translate.products import gemm_of_rows
from darter.net.translate.table import TRANSLATIONS


@dataclass(frozen=True)
class Rows:
    """The axes of a tensor of the file: `rank` of them, all pictures on axis `at`.

    Where pictures are apart, `lead` axes stand for that one (see `Merged`).
    """

    rank: int
    at: int
    lead: int

    def apart(self, axis: int) -> int:
        """Where an axis of the file's tensor is when the pictures are apart."""
        (place,) = distinct_axes((axis,), self.rank)
        if place == self.at:
            raise UnsupportedError("works along an axis that holds all pictures")
        return place if place < self.at else place + self.lead - 1


Translate = Callable[[Translation, Node, Rows], int]  # returns the axis of all pictures after it


def translate_merged(net: Translation, source: Node) -> None:
    """Translate a node that reads merged rows, with its pictures apart."""
    if source.op not in ROWWISE:
        raise UnsupportedError("takes the rows of all pictures as one axis")
    merged = [name for name in source.inputs if name in net.merged]
    rows = _rows(net, merged[0])
    parts = {_split_axis(net, name) for name in merged}
    if len(parts) > 1 or any(_rows(net, name) != rows for name in merged):
        raise UnsupportedError("takes rows of pictures that are merged in different ways")
    inputs = tuple(_apart(net, source, name, rows) for name in source.inputs)
    outputs = tuple(name and f"{name}.apart" for name in source.outputs)
    at = ROWWISE[source.op](net, replace(source, inputs=inputs, outputs=outputs), rows)
    for name, apart in zip(source.outputs, outputs, strict=True):
        if name:
            net.merge(name, Merged(apart, at, rows.lead))


def counts_numbers(net: Translation, source: Node) -> bool:
    """Whether the operation looks at the order of all numbers only, not at axes."""
    if source.op == "Gather":
        return len(net.dims(source.inputs[0])[0]) == 1
    return source.op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def _rows(net: Translation, name: str) -> Rows:
    merged = net.merged[name]
    return Rows(len(net.dims(name)[0]), merged.at, merged.lead)


def _split_axis(net: Translation, name: str) -> tuple[tuple[int, ...], ...]:
    merged = net.merged[name]
    return tuple(dims[merged.at : merged.at + merged.lead] for dims in net.dims(merged.apart))


def _apart(net: Translation, source: Node, name: str, rows: Rows) -> str:
    """An input as it is read where the pictures are apart."""
    if name in net.merged:
        return net.merged[name].apart
    if not name or source.op not in BROADCASTING:
        return name
    if name not in net.values:
        raise UnsupportedError("takes the rows of all pictures, and pictures apart")
    shape = net.dims(name)[0]
    before = len(shape) - (rows.rank - rows.at)  # its axes before the one of all pictures
    if before < 0 or (source.op == "MatMul" and len(shape) == 2):
        return name
    if shape[before] != 1:
        raise UnsupportedError("has a constant for each row of all pictures")
    spread = (*shape[:before], *(1,) * rows.lead, *shape[before + 1 :])
    first, second = net.values[name]
    output = net.between(source, f"{source.inputs.index(name)}.spread")
    net.know(output, *(np.reshape(value, spread) for value in (first, second)))
    return output


def _alike(net: Translation, source: Node, rows: Rows) -> int:
    TRANSLATIONS[source.op](net, source)
    return rows.at


def _matmul(net: Translation, source: Node, rows: Rows) -> int:
    """Rows may be rows of the left matrix, or lie before both matrices."""
    last = 1 if source.inputs[1] not in net.values else 0
    if rows.at >= rows.rank - 1 - last:
        raise UnsupportedError("sums over the rows of all pictures")
    return _alike(net, source, rows)


def _gemm(net: Translation, source: Node, rows: Rows) -> int:
    if rows.rank != 2 or rows.at:
        raise UnsupportedError("sums over the rows of all pictures")
    gemm_of_rows(net, source)
    return rows.at


def _along_axis(net: Translation, source: Node, rows: Rows) -> int:
    default = {"Split": 0, "Gather": 0, "Concat": 1}.get(source.op, -1)
    if source.op in ("Softmax", "LogSoftmax") and net.opset < 13:
        default = 1
    axis = rows.apart(integer(source, "axis", default))
    later = axis < rows.rank + rows.lead - 2
    if source.op in ("Softmax", "LogSoftmax") and net.opset < 13 and later:
        raise UnsupportedError("works along several axes of merged rows")
    if source.op == "LayerNormalization" and axis < rows.at:
        raise UnsupportedError("works along an axis that holds all pictures")
    _with(net, source, axis=axis)
    if source.op == "Gather" and axis < rows.at:
        return rows.at + len(net.dims(source.inputs[1])[0]) - 1
    return rows.at


def _reduce(net: Translation, source: Node, rows: Rows) -> int:
    given = net.constant(source, 1)
    listed = integers(source, "axes", ()) if given is None else given.ravel()
    axes = tuple(rows.apart(int(axis)) for axis in listed)
    if not axes:
        raise UnsupportedError("reduces all pictures to one")
    _with(net, replace(source, inputs=source.inputs[:1]), axes=axes)
    gone = 0 if integer(source, "keepdims", 1) else sum(axis < rows.at for axis in axes)
    return rows.at - gone


def _transpose(net: Translation, source: Node, rows: Rows) -> int:
    order = integers(source, "perm", tuple(reversed(range(rows.rank))))
    pictures = range(rows.at, rows.at + rows.lead)
    apart = (pictures if axis == rows.at else (rows.apart(axis),) for axis in order)
    _with(net, source, perm=tuple(axis for axes in apart for axis in axes))
    return order.index(rows.at)


def _batch_normalization(net: Translation, source: Node, rows: Rows) -> int:
    """Channels are the file's axis 1, so the scale is (C,) with an axis of 1 for each behind."""
    if rows.at:
        raise UnsupportedError("normalizes channels of all pictures")
    shape = (-1,) + (1,) * (rows.rank - 2)
    scale, shift = (each.reshape(shape) for each in scale_and_shift(net, source))
    names = net.weight(source, "scale", scale), net.weight(source, "shift", shift)
    scaled = net.between(source, "scaled")
    net.emit("Eltwise", source, (source.inputs[0], names[0]), scaled, function="mul")
    net.emit("Eltwise", source, (scaled, names[1]), source.output, function="add")
    return rows.at


def _align_regions(net: Translation, source: Node, rows: Rows) -> int:
    align_regions_apart(net, source, source.inputs[1], source.output)
    return rows.at


def _with(net: Translation, source: Node, **attributes: Any) -> None:
    changed = MappingProxyType({**source.attributes, **attributes})
    TRANSLATIONS[source.op](net, replace(source, attributes=changed))


ALONE = (
    *("Relu", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Mish", "Erf", "Exp", "Sqrt"),
    *("Reciprocal", "LeakyRelu", "Elu", "HardSigmoid", "Gelu", "Swish", "Clip", "Pow", "Neg"),
    *("Cast", "CastLike", "Identity", "Dropout"),
)
TOGETHER = ("Add", "Sum", "Sub", "Mul", "Div", "Min", "Max", "PRelu")
BROADCASTING = (*TOGETHER, "Concat", "MatMul")
ROWWISE: Mapping[str, Translate] = {
    **dict.fromkeys((*ALONE, *TOGETHER), _alike),
    **dict.fromkeys(
        ("Softmax", "LogSoftmax", "LayerNormalization", "Concat", "Split", "Gather"), _along_axis
    ),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"), _reduce),
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Transpose": _transpose,
    "BatchNormalization": _batch_normalization,
    "RoiAlign": _align_regions,
}
