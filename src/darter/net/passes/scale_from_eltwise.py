"""Arithmetic with a constant per channel is a Scale, which can then fold into a product."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import infer
from darter.net.passes.patterns import pictures_elsewhere


def scale_from_eltwise(graph: Graph) -> Graph:
    """x + c, x - c, c - x, x * c and x / c become x * scale + shift per channel.

    c: a constant number, or one per channel: (C, 1, 1) beside (N, C, H, W), (C,) beside (N, C).
    """
    shapes, elsewhere = infer(graph, 1), pictures_elsewhere(graph)
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for each in graph.nodes:
        found = _factors(graph, each, shapes) if each.op == "Eltwise" else None
        if elsewhere.intersection(each.inputs):
            continue
        if found is None:
            continue
        x, scale, shift = found
        channels = (shapes[x][1],)
        names = [graph.unused(f"{each.output}.{role}") for role in ("scale", "shift")]
        weights[names[0]] = constant(np.broadcast_to(scale, channels))
        weights[names[1]] = constant(np.broadcast_to(shift, channels))
        activation = each.attributes.get("activation")
        replaced[each] = [node("Scale", each.name, (x, *names), each.output, activation=activation)]
    return graph.changed(replaced, weights)


def _factors(
    graph: Graph, each: Node, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[str, NDArray[Any], NDArray[Any]] | None:
    """The tensor, scale and shift that an Eltwise amounts to."""
    left, right = each.inputs
    reverse = left in graph.weights
    x, name = (right, left) if reverse else (left, right)
    if name not in graph.weights or x in graph.weights:
        return None
    c = _per_channel(graph.weights[name], shapes[x])
    if c is None:
        return None
    one, zero = np.ones(()), np.zeros(())
    function = each.attributes["function"]
    if function == "div" and not reverse and c.all():
        return x, 1 / c, zero
    return {
        ("add", False): (x, one, c),
        ("add", True): (x, one, c),
        ("sub", False): (x, one, -c),
        ("sub", True): (x, -one, c),
        ("mul", False): (x, c, zero),
        ("mul", True): (x, c, zero),
    }.get((function, reverse))


def _per_channel(c: NDArray[Any], x: tuple[int, ...]) -> NDArray[Any] | None:
    """The constant as (C,) or a number, if it differs along axis 1 of x at most."""
    if len(x) < 2 or c.ndim > len(x):
        return None
    full = (1,) * (len(x) - c.ndim) + c.shape
    if any(size != 1 for axis, size in enumerate(full) if axis != 1) or full[1] not in (1, x[1]):
        return None
    return c.astype(np.float64).ravel()
