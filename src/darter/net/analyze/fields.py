"""The receptive field of every tensor of a net."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from darter.net.analyze.span import Span, union
from darter.net.graph import Graph, Node
from darter.net.infer import infer
from darter.net.ops import attributes

Dims = tuple[int, ...]
Given = Mapping[str, Any]
CUBIC, LINEAR, NEAREST = 2.0, 1.0, 0.5  # units on either side that a resized pixel is mixed from


@dataclass(frozen=True)
class Field:
    """The pixels that a unit sees: an upper bound only where pixels are put on another's axis."""

    rows: Span
    columns: Span


@dataclass(frozen=True)
class Case:
    """One node, as the rules see it: one axis of the picture at a time.

    spans, shapes: of the inputs that are computed from the picture.
    """

    given: Given
    spans: list[Span]
    shapes: list[Dims]
    out: Dims

    def merged(self, spans: list[Span] | None = None) -> Span:
        """The union of all inputs."""
        spans = self.spans if spans is None else spans
        counts = [
            1 if s.axis is None else x[s.axis] for s, x in zip(self.spans, self.shapes, strict=True)
        ]
        return union([*zip(spans, counts, strict=True)])

    def spread(self, *axes: int) -> "Case":
        """Units along these axes of the inputs are mixed."""
        spans = [
            s.spread(x[s.axis])
            if s.axis is not None and s.axis in (a % len(x) for a in axes)
            else s
            for s, x in zip(self.spans, self.shapes, strict=True)
        ]
        return replace(self, spans=spans)


def fields(graph: Graph, *, channels_last: bool = False) -> dict[str, Field]:
    """name -> field of every tensor that is computed from the picture, and the picture's own.

    channels_last: pictures are (N, H, W, C).
    """
    shapes = infer(graph, 1)
    rows, columns = (1, 2) if channels_last else (2, 3)
    known: dict[str, Field] = {}
    for name in graph.inputs:
        known[name] = Field(Span(0, 0, 1, rows), Span(0, 0, 1, columns))
    for node in graph.nodes:
        read = node.inputs[:1] if node.op == "Expand" else node.inputs  # the second: a size only
        inputs = [(known[name], shapes[name]) for name in read if name in known]
        if not inputs:
            continue
        given = attributes(node.op, node.attributes)
        starts = [0, *_cumulated(given.get("sizes", ()))]
        for number, name in enumerate(node.outputs):
            if not name:
                continue
            spans = []
            for side in ("rows", "columns"):
                case = Case(
                    given,
                    [getattr(f, side) for f, _ in inputs],
                    [s for _, s in inputs],
                    shapes[name],
                )
                span = _rule(node, case, graph, starts[number] if node.op == "Split" else 0)
                spans.append(span)
            known[name] = Field(*spans)
    return known


def _cumulated(sizes: Any) -> list[int]:
    total, found = 0, []
    for size in sizes:
        total += size
        found.append(total)
    return found


WINDOWS = (
    *("Conv", "BinaryConv", "BinaryConvBits", "IntegerConv"),
    *("MaxPool", "AveragePool", "IntegerMaxPool"),
)


def _rule(node: Node, case: Case, graph: Graph, start: int) -> Span:
    if node.op == "IntegerConcat":
        return _concat(replace(case, given={"axis": 1}))
    if node.op == "IntegerConv" and len(case.out) == 2:
        return _gemm(case)
    if node.op in WINDOWS:
        kernel = case.given.get("kernel") or graph.weights[node.inputs[1]].shape[2:]
        return _window(case, tuple(kernel))
    if node.op == "Split":
        return _cut(case, case.given["axis"], start, 1)
    return RULES[node.op](case)


def _window(case: Case, kernel: Dims) -> Span:
    case = case.spread(1)
    first, *added = case.spans
    if first.axis is not None:
        at = first.axis - 2
        reach = (kernel[at] - 1) * case.given["dilations"][at] + 1
        first = first.window(reach, case.given["strides"][at], case.given["pads"][at])
    shapes = [case.out, *case.shapes[1:]]
    return replace(case, spans=[first, *added], shapes=shapes).merged()


def _aligned(case: Case) -> Span:
    """numpy's broadcasting: axes are counted from the last."""
    spans = []
    for span, shape in zip(case.spans, case.shapes, strict=True):
        if span.axis is None:
            spans.append(span)
            continue
        axis = span.axis + len(case.out) - len(shape)
        same = shape[span.axis] == case.out[axis]
        spans.append(span.on(axis) if same else span.spread(shape[span.axis]))
    return case.merged(spans)


def _gemm(case: Case) -> Span:
    first = case.spread(-1).spans[0]
    return replace(case, spans=[first, *case.spans[1:]]).merged()


def _matmul(case: Case) -> Span:
    """Either factor may be a weight; which one is left does not matter for an upper bound."""
    if len(case.spans) == 1:
        return _aligned(case.spread(-1, -2))
    (a, b), (x, y) = case.spans, case.shapes
    a = a.spread(x[-1]) if a.axis == len(x) - 1 else a
    b = b.spread(y[-2]) if b.axis == len(y) - 2 else b
    return _aligned(replace(case, spans=[a, b]))


def _mix(*axes: int) -> Callable[[Case], Span]:
    return lambda case: case.spread(*axes).merged()


def _mix_named(case: Case) -> Span:
    return case.spread(case.given["axis"]).merged()


def _mix_from(case: Case) -> Span:
    rank = len(case.out)
    return case.spread(*range(case.given["axis"] % rank, rank)).merged()


def _mix_all(case: Case) -> Span:
    return case.spread(*range(1, len(case.out))).merged()


def _reduce(case: Case) -> Span:
    rank = len(case.shapes[0])
    axes = [axis % rank for axis in case.given.get("axes", (case.given.get("axis", 1),))]
    span = case.spread(*axes).spans[0]
    if span.axis is None or case.given["keep_dims"]:
        return span
    return span.on(span.axis - sum(axis < span.axis for axis in axes))


def _concat(case: Case) -> Span:
    return case.spread(case.given["axis"]).merged()


def _slice(case: Case) -> Span:
    return _cut(case, case.given["axis"], case.given["start"], case.given["step"])


def _cut(case: Case, axis: int, start: int, step: int) -> Span:
    span = case.spans[0]
    return span.moved(start, step) if span.axis == axis % len(case.shapes[0]) else span


def _transpose(case: Case) -> Span:
    span = case.spans[0]
    return span if span.axis is None else span.on(tuple(case.given["order"]).index(span.axis))


def _reshape(case: Case) -> Span:
    span, x, y = case.spans[0], case.shapes[0], case.out
    if span.axis is None:
        return span
    before, count = prod(x[: span.axis]), x[span.axis]
    for axis, size in enumerate(y):
        if size == count and prod(y[:axis]) == before:
            return span.on(axis)
    return span.spread(count)


def _pad(case: Case) -> Span:
    span = case.spans[0]
    return span if span.axis is None else span.moved(-case.given["pads"][span.axis])


def _resize(case: Case) -> Span:
    span = case.spans[0]
    if span.axis not in (2, 3):
        return span
    factor = case.given["scales"][span.axis - 2]
    around = {"nearest": NEAREST, "linear": LINEAR, "cubic": CUBIC}[case.given["mode"]]
    corner = case.given["coordinates"] in ("asymmetric", "align_corners")
    middle = 0.0 if corner else 0.5 / factor - 0.5
    low, high = span.moved(middle - around), span.moved(middle + around)
    return replace(span, first=low.first, last=high.last, stride=span.stride / factor)


def _depth_to_space(case: Case) -> Span:
    """Several pixels of the output see the same; the first of each group sees least to the left."""
    span = case.spread(1).spans[0]
    if span.axis not in (2, 3):
        return span
    square = case.given["square"][span.axis - 2]
    early = (square - 1) / square * span.stride
    return replace(span, first=span.first - early, stride=span.stride / square)


RULES: dict[str, Callable[[Case], Span]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "GlobalAveragePool": _mix(2, 3),
    "GlobalMaxPool": _mix(2, 3),
    "Eltwise": _aligned,
    "Where": _aligned,
    "PRelu": _aligned,
    "Expand": _aligned,
    "Activation": _mix(),
    "Binarize": _mix(),
    "Quantize": _mix(),
    "Dequantize": _mix(),
    "IntegerAdd": _mix(),
    "IntegerScale": _mix(),
    "IntegerReshape": _reshape,
    "Scale": _mix(),
    "LRN": _mix(1),
    "ChannelNorm": _mix(1),
    "Channels": _mix(1),
    "Recurrent": _mix(1),
    "GroupNorm": _mix_all,
    "LayerNorm": _mix_from,
    "Softmax": _mix_named,
    "Take": _mix_named,
    "Concat": _concat,
    "Slice": _slice,
    "Reduce": _reduce,
    "Arg": _reduce,
    "TopPlaces": _mix_all,
    "GatherAlong": _mix_all,
    "KeepBoxes": _mix_all,
    "AlignRegions": _mix_all,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Pad": _pad,
    "Resize": _resize,
    "DepthToSpace": _depth_to_space,
}
