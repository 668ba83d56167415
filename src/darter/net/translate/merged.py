"""Rows of all pictures under one another, (N * T, ...), as exporters write a layer that takes rows.

darter keeps pictures on an axis of their own: what the file has as (N * T, C) is computed as
(N, T, C), the same numbers in the same order. `ROWWISE` says which operations may stand between,
and how: those that treat every row alike and by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from darter.errors import UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import distinct_axes, integer, integers
from darter.net.translate.context import Merged, Translation
from darter.net.translate.elementwise import scale_and_shift
from darter.net.translate.products import gemm_of_rows
from darter.net.translate.table import TRANSLATIONS

Translate = Callable[[Translation, Node], None]


@dataclass(frozen=True)
class Rows:
    """What a translation of merged rows is told. rank: of the file's tensor; lead: see `Merged`."""

    rank: int
    lead: int

    def from_end(self, axis: int) -> int:
        """An axis of the file's tensor, counted from the last: the same with the pictures apart."""
        (place,) = distinct_axes((axis,), self.rank)
        if not place:
            raise UnsupportedError("works along an axis that holds all pictures")
        return place - self.rank


def translate_merged(net: Translation, source: Node) -> None:
    """Translate a node that reads merged rows, with its pictures apart."""
    if source.op not in ROWWISE:
        raise UnsupportedError("takes the rows of all pictures as one axis")
    found = [net.merged[name] for name in source.inputs if name in net.merged]
    ranks = {len(net.dims(name)[0]) for name in source.inputs if name in net.merged}
    lead, rank = found[0].lead, max(ranks)
    fronts = {tuple(dims[:lead] for dims in net.dims(each.apart)) for each in found}
    if len(ranks) > 1 or len(fronts) > 1 or any(each.lead != lead for each in found):
        raise UnsupportedError("takes rows of pictures that are merged in different ways")
    inputs = tuple(_apart(net, source.op, name, rank) for name in source.inputs)
    outputs = tuple(name and f"{name}.apart" for name in source.outputs)
    ROWWISE[source.op](net, replace(source, inputs=inputs, outputs=outputs), Rows(rank, lead))
    for name, apart in zip(source.outputs, outputs, strict=True):
        if name:
            net.merge(name, Merged(apart, lead))


def counts_numbers(net: Translation, source: Node) -> bool:
    """Whether the operation looks at the order of all numbers only, not at axes."""
    if source.op == "Gather":
        return len(net.dims(source.inputs[0])[0]) == 1
    return source.op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def _apart(net: Translation, op: str, name: str, rank: int) -> str:
    if name in net.merged:
        return net.merged[name].apart
    if name and name not in net.values:
        raise UnsupportedError("takes the rows of all pictures, and pictures apart")
    shape = net.dims(name)[0] if name else ()
    matrix = op in ("MatMul", "Gemm") and len(shape) == 2
    if len(shape) > rank or (len(shape) == rank and shape[0] != 1 and not matrix):
        raise UnsupportedError("has a constant for each row of all pictures")
    return name


def _alike(op: str) -> Callable[[Translation, Node, Rows], None]:
    return lambda net, source, rows: TRANSLATIONS[op](net, source)


def _matmul(net: Translation, source: Node, rows: Rows) -> None:
    if rows.rank == 2 and source.inputs[1] not in net.values:
        raise UnsupportedError("sums over the rows of all pictures")
    TRANSLATIONS[source.op](net, source)


def _along_axis(net: Translation, source: Node, rows: Rows) -> None:
    default = 0 if source.op in ("Split", "Gather") else -1
    if source.op in ("Softmax", "LogSoftmax") and net.opset < 13:
        default = 1
        if rows.from_end(integer(source, "axis", default)) != -1:
            raise UnsupportedError("works along several axes of merged rows")
    _with(net, source, axis=rows.from_end(integer(source, "axis", default)))


def _reduce(net: Translation, source: Node, rows: Rows) -> None:
    given = net.constant(source, 1)
    listed = integers(source, "axes", ()) if given is None else given.ravel()
    axes = tuple(rows.from_end(int(axis)) for axis in listed)
    if not axes:
        raise UnsupportedError("reduces all pictures to one")
    _with(net, replace(source, inputs=source.inputs[:1]), axes=axes)


def _transpose(net: Translation, source: Node, rows: Rows) -> None:
    order = integers(source, "perm", tuple(reversed(range(rows.rank))))
    if order[0] != 0:
        raise UnsupportedError("moves the axis that holds all pictures")
    behind = (axis + rows.lead - 1 for axis in order[1:])
    _with(net, source, perm=(*range(rows.lead), *behind))


def _batch_normalization(net: Translation, source: Node, rows: Rows) -> None:
    """Channels are the file's axis 1, so the scale is (C,) with an axis of 1 for each behind."""
    shape = (-1,) + (1,) * (rows.rank - 2)
    scale, shift = (each.reshape(shape) for each in scale_and_shift(net, source))
    names = net.weight(source, "scale", scale), net.weight(source, "shift", shift)
    scaled = net.between(source, "scaled")
    net.emit("Eltwise", source, (source.inputs[0], names[0]), scaled, function="mul")
    net.emit("Eltwise", source, (scaled, names[1]), source.output, function="add")


def _with(net: Translation, source: Node, **attributes: object) -> None:
    changed = MappingProxyType({**source.attributes, **attributes})
    TRANSLATIONS[source.op](net, replace(source, attributes=changed))


ROWWISE: Mapping[str, Callable[[Translation, Node, Rows], None]] = {
    **{
        op: _alike(op)
        for op in (
            *("Relu", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Mish", "Erf", "Exp", "Sqrt"),
            *("Reciprocal", "LeakyRelu", "Elu", "HardSigmoid", "Gelu", "Swish", "Clip", "PRelu"),
            *("Pow", "Neg", "Add", "Sum", "Sub", "Mul", "Div", "Min", "Max", "Cast", "CastLike"),
            *("Identity", "Dropout"),
        )
    },
    **dict.fromkeys(
        ("Softmax", "LogSoftmax", "LayerNormalization", "Concat", "Split", "Gather"), _along_axis
    ),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"), _reduce),
    "Gemm": lambda net, source, rows: gemm_of_rows(net, source),
    "MatMul": _matmul,
    "Transpose": _transpose,
    "BatchNormalization": _batch_normalization,
}
