"""What runs between integers of 8 bits, and how it is computed on them.

Filters are float32 numbers when this is asked, so that their steps are found again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.net.graph import Graph, Node, node
from darter.net.infer import infer
from darter.net.ops import attributes
from darter.net.passes.integer_filters import MOST_SUM, Arrays, in_steps
from darter.net.passes.patterns import is_eltwise

WINDOW = ("strides", "pads", "dilations")
Limits = Mapping[str, int]  # zero, low, high of what is made


@dataclass(frozen=True)
class Numbers:
    """A tensor that is (q - zero) * scale.   q: the name of the integers."""

    q: str
    scale: float
    zero: int


@dataclass
class Between:
    """A graph, which of its tensors are integers times a scale, and the constants made so far."""

    graph: Graph
    numbers: Mapping[str, Numbers]
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shapes = infer(self.graph, 1)
        self._two = infer(self.graph, 2)

    def keep(self, name: str, array: NDArray[Any]) -> str:
        name = self.graph.unused(name)
        self.weights[name] = array
        return name

    def same_shapes(self, each: Node) -> bool:
        """Whether nothing is broadcast, whatever the number of pictures."""
        return all(
            shapes[name] == shapes[each.output]
            for shapes in (self.shapes, self._two)
            for name in each.inputs
        )

    def by_pictures(self, x: str) -> bool:
        """Whether the first axis is the number of pictures, and no other one is."""
        return self._two[x] == (2, *self.shapes[x][1:]) and self.shapes[x][0] == 1


Maker = Callable[[Between, Node, str, float, Limits], list[Node] | None]


def scaled(x: Numbers, y: str, name: str, step: float, limits: Limits) -> list[Node]:
    """The same numbers in other steps."""
    ratio = {"scale": x.scale / step, "x_zero": x.zero}
    return [node("IntegerScale", name, (x.q,), y, **ratio, **limits)]


def _unchanged(x: Numbers, step: float, limits: Limits) -> bool:
    return x.scale == step and limits == {"zero": x.zero, "low": 0, "high": 255}


def conv(between: Between, each: Node, y: str, step: float, limits: Limits) -> list[Node] | None:
    """Of a Conv, or of a Gemm of rows."""
    graph, given = between.graph, each.attributes
    x = between.numbers.get(each.inputs[0])
    plain = (
        x is not None
        and len(each.inputs) == 3
        and given.get("activation") is None
        and given.get("border", "zeros") == "zeros"
    )
    if not plain or x is None:
        return None
    w, b = (np.asarray(graph.weights[name], np.float32) for name in each.inputs[1:3])
    if each.op == "Gemm":
        if len(between.shapes[each.output]) != 2:
            return None
        w = w[:, :, None, None]
    group = given.get("group", 1)
    if w.ndim != 4 or not w.size or not (group == 1 or (w.shape[1] == 1 and group == len(w))):
        return None
    arrays = in_steps(w, b, x.scale, step)
    if arrays is None:
        return None
    return [_convolution(between, each, x, y, arrays, {**given, **limits})]


def _convolution(
    between: Between, each: Node, x: Numbers, y: str, arrays: Arrays, given: Mapping[str, Any]
) -> Node:
    roles = ("whole", "sums", "factors")
    names = [
        between.keep(f"{each.output}.{role}", array)
        for role, array in zip(roles, arrays, strict=True)
    ]
    kept = {key: given[key] for key in (*WINDOW, "group", "zero", "low", "high") if key in given}
    return node("IntegerConv", each.name, (x.q, *names), y, x_zero=x.zero, **kept)


def mean(between: Between, each: Node, y: str, step: float, limits: Limits) -> list[Node] | None:
    """The mean of a window, or of all pixels, is a filter of ones for each channel."""
    x = between.numbers.get(each.inputs[0])
    shape = between.shapes[each.inputs[0]]
    if x is None or len(shape) != 4:
        return None
    given = attributes(each.op, each.attributes)
    window: dict[str, Any] = {}
    if each.op == "AveragePool":
        if given["ceil"] or not (given["count_padding"] or not any(given["pads"])):
            return None
        kernel = given["kernel"]
        window = {key: given[key] for key in WINDOW}
    elif each.op == "Reduce":
        spatial = given["function"] == "mean" and {axis % 4 for axis in given["axes"]} == {2, 3}
        if not spatial:
            return None
        kernel = shape[2:]
    else:
        kernel = shape[2:]
    channels, taps = shape[1], int(np.prod(kernel))
    if 2 * 255 * taps >= MOST_SUM:
        return None
    factors = np.full(channels, x.scale / step / taps, np.float32)
    arrays = np.ones((channels, 1, *kernel), np.int8), np.zeros(channels, np.int32), factors
    flat = len(between.shapes[each.output]) == 2
    if flat and not between.by_pictures(each.output):
        return None
    target = between.graph.unused(f"{y}.mean") if flat else y
    given = {**window, "group": channels, **limits}
    made = [_convolution(between, each, x, target, arrays, given)]
    if flat:
        made.append(node("IntegerReshape", each.name, (target,), y, shape=(None, channels)))
    return made


def add(between: Between, each: Node, y: str, step: float, limits: Limits) -> list[Node] | None:
    """A sum of integers of one shape."""
    read = [between.numbers[name] for name in each.inputs if name in between.numbers]
    if not is_eltwise(each, "add") or len(read) != 2 or not between.same_shapes(each):
        return None
    given = {
        "scales": tuple(x.scale / step for x in read),
        "zeros": tuple(x.zero for x in read),
        **limits,
    }
    return [node("IntegerAdd", each.name, [x.q for x in read], y, **given)]


def max_pool(
    between: Between, each: Node, y: str, step: float, limits: Limits
) -> list[Node] | None:
    return _moved(between, each, "IntegerMaxPool", y, step, limits)


def reshape(between: Between, each: Node, y: str, step: float, limits: Limits) -> list[Node] | None:
    if not to_rows(between.graph, each):
        return None
    return _moved(between, each, "IntegerReshape", y, step, limits)


def _moved(
    between: Between, each: Node, op: str, y: str, step: float, limits: Limits
) -> list[Node] | None:
    """What moves integers, then other steps for them where these differ."""
    x = between.numbers.get(each.inputs[0])
    if x is None:
        return None
    if _unchanged(x, step, limits):
        return [node(op, each.name, (x.q,), y, **each.attributes)]
    target = between.graph.unused(f"{y}.moved")
    first = node(op, each.name, (x.q,), target, **each.attributes)
    return [first, *scaled(Numbers(target, x.scale, x.zero), y, each.name, step, limits)]


def to_rows(graph: Graph, each: Node) -> bool:
    """Whether a Reshape makes a row of each picture."""
    shape = infer(graph, 1)[each.inputs[0]]
    rows = (None, int(np.prod(shape[1:])))
    return each.op == "Reshape" and len(shape) == 4 and tuple(each.attributes["shape"]) == rows


def concat(between: Between, each: Node, y: str, step: float, limits: Limits) -> list[Node] | None:
    """Channels side by side, each tensor's in the steps of the result first."""
    rank = len(between.shapes[each.output])
    read = [between.numbers.get(name) for name in each.inputs]
    if each.attributes["axis"] % rank != 1:
        return None
    made, parts = [], []
    for number, x in enumerate(read):
        if x is None:
            return None
        if _unchanged(x, step, limits):
            parts.append(x.q)
            continue
        parts.append(between.graph.unused(f"{y}.part{number}"))
        made += scaled(x, parts[-1], each.name, step, limits)
    return [*made, node("IntegerConcat", each.name, parts, y)]


MAKERS: dict[str, Maker] = {
    "Conv": conv,
    "Gemm": conv,
    "Eltwise": add,
    "MaxPool": max_pool,
    "AveragePool": mean,
    "GlobalAveragePool": mean,
    "Reduce": mean,
    "Concat": concat,
    "Reshape": reshape,
}
