"""A layer normalization that is written out, mean by mean, is one node again."""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import Dims, infer
from darter.net.ops import Activation
from darter.net.passes.patterns import activation_of, is_eltwise, scalar, variable

ROOTS = (Activation("sqrt"), Activation("power", 0.5))
SQUARE = Activation("power", 2.0)


def layer_norm(graph: Graph) -> Graph:
    """(x - mean) / sqrt(mean((x - mean) ** 2) + epsilon) * scale + shift, over the last axis."""
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    weights: dict[str, NDArray[np.float32]] = {}
    for quotient in graph.nodes:
        found = _normalized(graph, quotient, shapes) if is_eltwise(quotient, "div") else None
        if found is None:
            continue
        x, epsilon = found
        axis = len(shapes[x]) - 1
        last, scale = _constant_after(graph, quotient, "mul", shapes[x][axis])
        last, shift = _constant_after(graph, last, "add", shapes[x][axis])
        names = [graph.unused(f"{last.output}.{role}") for role in ("scale", "shift")]
        weights.update(zip(names, (scale, shift), strict=True))
        replaced[last] = [
            node("LayerNorm", last.name, (x, *names), last.output, axis=axis, epsilon=epsilon)
        ]
    return graph.changed(replaced, weights)


def _normalized(
    graph: Graph, quotient: Node, shapes: Mapping[str, Dims]
) -> tuple[str, float] | None:
    """x and epsilon, where the quotient is (x - mean) / deviation."""
    x = _centered(graph, quotient.inputs[0], shapes)
    root = graph.producer(quotient.inputs[1])
    if x is None or root is None or activation_of(root) not in ROOTS:
        return None
    plus = graph.producer(root.inputs[0])
    epsilon = scalar(graph, plus, "add")
    if plus is None or epsilon is None:
        return None
    variance = graph.producer(variable(graph, plus))
    if variance is None or not _is_mean(variance, shapes):
        return None
    square = graph.producer(variance.inputs[0])
    if square is None or activation_of(square) != SQUARE:
        return None
    # Some exporters write x - mean twice; both must be of the same x.
    return (x, epsilon) if _centered(graph, square.inputs[0], shapes) == x else None


def _centered(graph: Graph, name: str, shapes: Mapping[str, Dims]) -> str | None:
    """x, where a tensor is x - mean(x)."""
    difference = graph.producer(name)
    if difference is None or not is_eltwise(difference, "sub"):
        return None
    x, subtracted = difference.inputs
    mean = graph.producer(subtracted)
    found = mean is not None and mean.inputs[0] == x and _is_mean(mean, shapes)
    return x if found else None


def _is_mean(mean: Node, shapes: Mapping[str, Dims]) -> bool:
    return (
        mean.op == "Reduce"
        and mean.attributes["function"] == "mean"
        and mean.attributes["axes"] == (len(shapes[mean.inputs[0]]) - 1,)
        and mean.attributes["keep_dims"]
    )


def _constant_after(
    graph: Graph, maker: Node, function: str, size: int
) -> tuple[Node, NDArray[np.float32]]:
    """The product or sum with one constant per place of the last axis that follows, if any.

    Returns the node that ends the pattern and the constant (size,), 1 or 0 where there is none.
    """
    neutral = np.full(size, function == "mul", np.float32)
    reader = graph.only_consumer(maker.output)
    if reader is None or not is_eltwise(reader, function):
        return maker, neutral
    for name in reader.inputs:
        array = graph.weight(name)
        if array is not None and array.size in (1, size) and array.size == prod(array.shape[-1:]):
            return reader, constant(np.broadcast_to(array.ravel(), (size,)))
    return maker, neutral
