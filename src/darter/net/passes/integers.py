"""Convolutions between integers of 8 bits are recognized, so that they run on integers.

In a graph that was read from a quantized file, an array of integers is round_clip(x / step), plus
its zero point where that is not 0, and what reads it subtracts the zero point and multiplies by
the scale. Filters are float32 numbers by then, so that their steps are found again.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.kernels import has_integers
from darter.net.graph import Graph, Node, node
from darter.net.infer import infer
from darter.net.passes.patterns import activation_of, is_eltwise, scalar

MOST = 127  # of a weight
WHOLE = 1e-4  # how far a weight in steps may lie from a whole number: float32's own rounding
BIAS_ERROR = 1e-3  # of a step of the result
MOST_SUM = 2**31 - 1
WINDOW = ("strides", "pads", "dilations", "group")


@dataclass(frozen=True)
class _Integers:
    """Integers that a graph computes. Kept as uint8: centered numbers plus `zero`.

    last: the node that gives them.   x, step: of what they are.   readers: what multiplies them
    by their scale again -> the scale.
    """

    last: Node
    x: str
    step: float
    zero: int
    readers: dict[Node, float]


def integers_where_fast(graph: Graph) -> Graph:
    """`integer_layers`, on CPUs with kernels for them; elsewhere float32 is faster."""
    return integer_layers(graph) if has_integers() else graph


def integer_layers(graph: Graph) -> Graph:
    """Convs and sums between integers turn into IntegerConvs and IntegerAdds."""
    found = _all_integers(graph)
    scales = {
        n.output: (q, scale) for q, each in found.items() for n, scale in each.readers.items()
    }
    made: dict[str, Node] = {}
    weights: dict[str, NDArray[Any]] = {}
    for y, to in found.items():
        conv, low, high = _before(graph, to)
        if conv is None or not low <= 0 <= high:
            continue
        limits = {"zero": to.zero, "low": int(low) + to.zero, "high": int(high) + to.zero}
        read = [scales[name] for name in conv.inputs if name in scales]
        if conv.op == "Eltwise":
            if len(read) == 2 and _same_shapes(graph, conv):
                sources, factors = zip(*read, strict=True)
                steps = {"scales": tuple(scale / to.step for scale in factors)}
                zeros = {"zeros": tuple(found[q].zero for q in sources)}
                made[y] = node("IntegerAdd", conv.name, sources, y, **zeros, **steps, **limits)
            continue
        if conv.inputs[0] not in scales:
            continue
        q, scale = scales[conv.inputs[0]]
        arrays = _in_steps(graph, conv, scale, to.step)
        if arrays is None:
            continue
        roles = ("whole", "sums", "factors")
        names = [graph.unused(f"{conv.output}.{role}") for role in roles]
        weights |= dict(zip(names, arrays, strict=True))
        given = {key: conv.attributes[key] for key in WINDOW if key in conv.attributes}
        given["x_zero"] = found[q].zero
        made[y] = node("IntegerConv", conv.name, (q, *names), y, **given, **limits)
    replaced: dict[Node, list[Node]] = {}
    read_by_them = (name for each in made.values() for name in each.inputs if name in found)
    for name in dict.fromkeys((*made, *read_by_them)):
        each = found[name]
        rounding = {"step": each.step, "zero": each.zero}
        first = node("Quantize", each.last.name, (each.x,), name, **rounding)
        replaced[each.last] = [made.get(name, first)]
        for reader, scale in each.readers.items():
            back = {"scale": scale, "zero": each.zero}
            replaced[reader] = [node("Dequantize", reader.name, (name,), reader.output, **back)]
    return graph.changed(replaced, weights)


def _all_integers(graph: Graph) -> dict[str, _Integers]:
    """name -> the integers of (N, C, H, W) that only their scale's products read."""
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
        readers = _readers(graph, last.output, offset)
        if readers and len(shapes[last.output]) == 4 == len(shapes[steps.inputs[0]]):
            zero = int(-function.a)
            found[last.output] = _Integers(last, steps.inputs[0], step, zero, readers)
    return found


def _readers(graph: Graph, name: str, offset: float) -> dict[Node, float]:
    """The products that give numbers for integers again; none where somebody else reads them."""
    if name in graph.outputs:
        return {}
    sources = [name]
    if offset:
        subtracting = graph.consumers(name)
        if any(scalar(graph, each, "sub") != offset for each in subtracting):
            return {}
        sources = [each.output for each in subtracting]
    found: dict[Node, float] = {}
    for source in sources:
        for reader in graph.consumers(source):
            scale = _positive(scalar(graph, reader, "mul"))
            if scale is None or source in graph.outputs:
                return {}
            found[reader] = scale
    return found


def _positive(number: float | None) -> float | None:
    return number if number is not None and 0 < number < np.inf else None


def _before(graph: Graph, to: _Integers) -> tuple[Node | None, float, float]:
    """The Conv or sum whose results become integers, and the limits of their centered numbers, of
    a Relu or Clip between them, too."""
    low, high = float(-to.zero), float(255 - to.zero)
    maker = graph.producer(to.x)
    function = activation_of(maker)
    if maker is not None and function is not None and graph.only_consumer(to.x) is not None:
        if function.kind not in ("relu", "clip"):
            return None, low, high
        a, b = (0.0, np.inf) if function.kind == "relu" else (function.a, function.b)
        low, high = max(low, np.rint(a / to.step)), min(high, np.rint(b / to.step))
        to = replace(to, x=maker.inputs[0])
        maker = graph.producer(to.x)
    if is_eltwise(maker, "add") and graph.only_consumer(to.x) is not None:
        return maker, low, high
    plain = (
        maker is not None
        and maker.op == "Conv"
        and len(maker.inputs) == 3
        and maker.attributes.get("activation") is None
        and maker.attributes.get("border", "zeros") == "zeros"
        and graph.only_consumer(to.x) is not None
    )
    return maker if plain else None, low, high


def _same_shapes(graph: Graph, each: Node) -> bool:
    """Whether nothing is broadcast, whatever the number of pictures."""
    return all(
        shapes[name] == shapes[each.output]
        for shapes in (infer(graph, 1), infer(graph, 2))
        for name in each.inputs
    )


def _in_steps(
    graph: Graph, conv: Node, x_scale: float, y_step: float
) -> tuple[NDArray[Any], ...] | None:
    """Filters (int8), biases (int32) in units of the sums, and what makes these steps of y; None
    where the numbers are not such integers, or their sums may not fit 32 bits."""
    w, b = (np.asarray(graph.weights[name], np.float64) for name in conv.inputs[1:3])
    group = conv.attributes.get("group", 1)
    if w.ndim != 4 or not w.size or not (group == 1 or (w.shape[1] == 1 and group == len(w))):
        return None
    if not (np.isfinite(w).all() and np.isfinite(b).all()):
        return None
    steps = filter_steps(w.reshape(len(w), -1))
    if steps is None:
        return None
    empty = ~w.reshape(len(w), -1).any(axis=1)  # of them only the bias is left
    steps = np.where(empty & (b != 0), np.abs(b) / (x_scale * 2.0**30), steps)
    whole = np.rint(w / steps.reshape(-1, 1, 1, 1))
    unit = steps * x_scale
    bias, factors = b / unit, unit / y_step
    sums = np.abs(bias) + 2 * 255 * np.abs(whole).reshape(len(w), -1).sum(axis=1)
    error = np.abs(bias - np.rint(bias)) * factors
    fits = (sums < MOST_SUM).all() and (error <= BIAS_ERROR).all()
    if not (fits and (factors > np.finfo(np.float32).tiny).all() and (factors < 1e30).all()):
        return None
    return whole.astype(np.int8), np.rint(bias).astype(np.int32), factors.astype(np.float32)


def filter_steps(rows: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Of each row a step of which all its numbers are whole multiples, at most 127 times; None
    where a row has none. The largest is tried as 127 steps first."""
    largest = np.abs(rows).max(axis=1)
    steps = np.ones(len(rows))
    left = np.flatnonzero(largest)
    for most in range(MOST, 0, -1):
        if not left.size:
            return steps
        step = largest[left] / most
        multiples = rows[left] / step[:, None]
        fits = (np.abs(multiples - np.rint(multiples)) <= WHOLE).all(axis=1)
        steps[left[fits]] = step[fits]
        left = left[~fits]
    return None if left.size else steps
