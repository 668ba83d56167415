"""Layers between integers of 8 bits are recognized, so that they run on integers.

In a graph that was read from a quantized file, an array of integers is round_clip(x / step), plus
its zero point where that is not 0, and what reads it subtracts the zero point and multiplies by
the scale. What may stand between the two: see `integer_nodes.MAKERS`.
"""

from dataclasses import dataclass

import numpy as np

from darter.kernels import has_integers
from darter.net.graph import Graph, Node, node
from darter.net.infer import infer
from darter.net.passes.integer_nodes import MAKERS, Between, Numbers, scaled, to_rows
from darter.net.passes.patterns import activation_of, is_eltwise, scalar

MOVES = {"MaxPool": "IntegerMaxPool", "Reshape": "IntegerReshape"}  # what may read integers as such


@dataclass(frozen=True)
class _Integers:
    """Integers that a graph computes. Kept as uint8: centered numbers plus `zero`.

    last: the node that gives them.   x, step: of what they are; x is None where `last` is one of
    `MOVES`.   readers: what multiplies them by their scale again -> the scale.   moved: such nodes
    that read them.
    """

    last: Node
    x: str | None
    step: float
    zero: int
    readers: dict[Node, float]
    moved: tuple[Node, ...]


def integers_where_fast(graph: Graph) -> Graph:
    """`integer_layers`, on CPUs with kernels for them; elsewhere float32 is faster."""
    return integer_layers(graph) if has_integers() else graph


def integer_layers(graph: Graph) -> Graph:
    """What is computed between integers turns into operations on integers."""
    found = _all_integers(graph)
    if not found:
        return graph
    numbers = {
        n.output: Numbers(q, scale, each.zero)
        for q, each in found.items()
        for n, scale in each.readers.items()
    }
    between = Between(graph, numbers)
    made: dict[str, list[Node]] = {}
    for y, to in found.items():
        nodes = _moved(to) if to.x is None else _made(between, y, to)
        if nodes:
            made[y] = nodes
    replaced: dict[Node, list[Node]] = {}
    for name in _kept(found, made):
        each = found[name]
        rounding = {"step": each.step, "zero": each.zero}
        first = [node("Quantize", each.last.name, (each.x or "",), name, **rounding)]
        replaced[each.last] = made.get(name, first)
        for reader, scale in each.readers.items():
            back = {"scale": scale, "zero": each.zero}
            replaced[reader] = [node("Dequantize", reader.name, (name,), reader.output, **back)]
    return graph.changed(replaced, between.weights)


def _kept(found: dict[str, _Integers], made: dict[str, list[Node]]) -> list[str]:
    """Which arrays are integers from now on: those that are made of such, what these read, and
    what only moves them."""
    kept: dict[str, None] = {}
    open_ = [name for name in made if found[name].x is not None]
    while open_:
        name = open_.pop()
        if name in kept or name not in found:
            continue
        kept[name] = None
        open_ += [read for each in made.get(name, ()) for read in each.inputs]
        open_ += [each.output for each in found[name].moved]
    return list(kept)


def _moved(to: _Integers) -> list[Node]:
    last = to.last
    attributes = dict(last.attributes)
    return [node(MOVES[last.op], last.name, last.inputs, last.output, **attributes)]


def _made(between: Between, y: str, to: _Integers) -> list[Node]:
    """The operations on integers that give y; none where these are not known."""
    graph, x = between.graph, to.x
    assert x is not None
    low, high = float(-to.zero), float(255 - to.zero)
    maker = graph.producer(x)
    function = activation_of(maker)
    if maker is not None and function is not None and x not in between.numbers:
        if function.kind not in ("relu", "clip") or graph.only_consumer(x) is None:
            return []
        a, b = (0.0, np.inf) if function.kind == "relu" else (function.a, function.b)
        low, high = max(low, np.rint(a / to.step)), min(high, np.rint(b / to.step))
        x = maker.inputs[0]
        maker = graph.producer(x)
    if not low <= 0 <= high:
        return []
    limits = {"zero": to.zero, "low": int(low) + to.zero, "high": int(high) + to.zero}
    if x in between.numbers:
        return scaled(between.numbers[x], y, to.last.name, to.step, limits)
    if maker is None or graph.only_consumer(x) is None or maker.op not in MAKERS:
        return []
    return MAKERS[maker.op](between, maker, y, to.step, limits) or []


def _all_integers(graph: Graph) -> dict[str, _Integers]:
    """name -> the integers of pictures or rows that only their scale's products read."""
    shapes = None
    found: dict[str, _Integers] = {}
    for whole in graph.nodes:
        function = activation_of(whole)
        if function is None or function.kind != "round_clip":
            continue
        shapes = shapes or infer(graph, 1)
        steps = graph.producer(whole.inputs[0])
        step = _positive(scalar(graph, steps, "div"))
        fits = function.b - function.a == 255 and -255 <= function.a <= 0
        if steps is None or step is None or not fits:
            continue
        last, offset = whole, 0.0
        after = graph.only_consumer(whole.output)
        if is_eltwise(after, "add") and after is not None:
            given = scalar(graph, after, "add")
            if given is None:
                continue
            last, offset = after, given
        same = shapes[last.output] == shapes[steps.inputs[0]]
        read = _read(graph, last, steps.inputs[0], step, int(-function.a), offset)
        if same and read and all(len(shapes[name]) in (2, 4) for name in read):
            found |= read
    return found


def _read(
    graph: Graph, last: Node, x: str | None, step: float, zero: int, offset: float
) -> dict[str, _Integers]:
    """These integers, and what moves them; nothing where somebody else reads them."""
    name = last.output
    if name in graph.outputs:
        return {}
    moved = tuple(each for each in graph.consumers(name) if each.op in MOVES)
    found: dict[str, _Integers] = {}
    for each in moved:
        more = _read(graph, each, None, step, zero, offset) if _moves(graph, each) else {}
        if not more:
            return {}
        found |= more
    sources = [name]
    if offset:
        subtracting = [each for each in graph.consumers(name) if each not in moved]
        if any(scalar(graph, each, "sub") != offset for each in subtracting):
            return {}
        sources = [each.output for each in subtracting]
    readers: dict[Node, float] = {}
    for source in sources:
        for reader in graph.consumers(source):
            if reader in moved:
                continue
            scale = _positive(scalar(graph, reader, "mul"))
            if scale is None or source in graph.outputs:
                return {}
            readers[reader] = scale
    return (
        {name: _Integers(last, x, step, zero, readers, moved), **found} if readers or moved else {}
    )


def _moves(graph: Graph, each: Node) -> bool:
    return each.op == "MaxPool" or to_rows(graph, each)


def _positive(number: float | None) -> float | None:
    return number if number is not None and 0 < number < np.inf else None
