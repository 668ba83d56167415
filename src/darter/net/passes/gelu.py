"""Gelu as exporters write it, x / 2 (1 + erf(x / sqrt(2))), is one activation again."""

from math import isclose, sqrt

from darter.net.graph import Graph, Node, node
from darter.net.ops import Activation
from darter.net.passes.patterns import is_eltwise, is_kind, other_input, scalar, variable

CLOSE = 1e-4  # how exactly sqrt(2) is written in a file


def gelu(graph: Graph) -> Graph:
    """Both orders: (x * (1 + erf)) * 0.5 and (x * 0.5) * (1 + erf)."""
    replaced: dict[Node, list[Node]] = {}
    for erf in graph.nodes:
        if not is_kind(erf, "erf"):
            continue
        x = _divided(graph, erf.inputs[0])
        plus = graph.only_consumer(erf.output)
        if x is None or plus is None or scalar(graph, plus, "add") != 1:
            continue
        product = graph.only_consumer(plus.output)
        if product is None or not is_eltwise(product, "mul"):
            continue
        last = _last(graph, product, other_input(product, plus.output), x)
        if last is not None:
            replaced[last] = [
                node("Activation", last.name, (x,), last.output, activation=Activation("gelu"))
            ]
    return graph.changed(replaced)


def _divided(graph: Graph, name: str) -> str | None:
    """x, where a tensor is x / sqrt(2) or x * sqrt(1/2)."""
    maker = graph.producer(name)
    if maker is None:
        return None
    divisor, factor = scalar(graph, maker, "div"), scalar(graph, maker, "mul")
    if divisor is not None and isclose(divisor, sqrt(2), rel_tol=CLOSE):
        return maker.inputs[0]
    if factor is not None and isclose(factor, sqrt(0.5), rel_tol=CLOSE):
        return variable(graph, maker)
    return None


def _last(graph: Graph, product: Node, beside: str, x: str) -> Node | None:
    """The node that ends the pattern, where the product with `beside` belongs to it."""
    if beside == x:
        half = graph.only_consumer(product.output)
        halves = scalar(graph, half, "mul") == 0.5 or scalar(graph, half, "div") == 2
        return half if halves else None
    half = graph.producer(beside)
    halves = scalar(graph, half, "mul") == 0.5 or scalar(graph, half, "div") == 2
    return product if halves and half is not None and variable(graph, half) == x else None
