"""Activations that exporters write as several nodes are one node again."""

from darter.net.graph import Graph, Node, node
from darter.net.ops import Activation
from darter.net.passes.patterns import activation_of, other_input, scalar

SIXTH = 1e-6  # how exactly 1/6 is written in a file


def gates(graph: Graph) -> Graph:
    """x * sigmoid(x) becomes swish, x * hard_sigmoid(x) with slope 1/6 hard_swish."""
    replaced: dict[Node, list[Node]] = {}
    for product in graph.nodes:
        if product.op != "Eltwise" or product.attributes["function"] != "mul":
            continue
        for gate_name in product.inputs:
            gate = graph.producer(gate_name)
            kind = _gated(activation_of(gate))
            x = other_input(product, gate_name)
            if gate is None or kind is None or gate.inputs[0] != x:
                continue
            if product.attributes.get("activation") is not None:
                continue
            replaced[product] = [
                node("Activation", product.name, (x,), product.output, activation=kind)
            ]
            break
    return graph.changed(replaced)


def hard_sigmoid(graph: Graph) -> Graph:
    """clip(x + 3, 0, 6) / 6 becomes hard_sigmoid, and x * clip(x + 3, 0, 6) / 6 hard_swish."""
    replaced: dict[Node, list[Node]] = {}
    for clip in graph.nodes:
        bounds = activation_of(clip)
        if bounds != Activation("clip", 0.0, 6.0):
            continue
        plus = graph.producer(clip.inputs[0])
        reader = graph.only_consumer(clip.output)
        if plus is None or reader is None or scalar(graph, plus, "add") != 3:
            continue
        x = plus.inputs[plus.inputs[0] in graph.weights]
        if _sixth(graph, reader):
            replaced[reader] = [_activation(reader, x, Activation("hard_sigmoid", 1 / 6, 0.5))]
            continue
        last = graph.only_consumer(reader.output)
        gated = reader.op == "Eltwise" and reader.attributes["function"] == "mul"
        if gated and other_input(reader, clip.output) == x and last and _sixth(graph, last):
            replaced[last] = [_activation(last, x, Activation("hard_swish"))]
    return graph.changed(replaced)


def _gated(gate: Activation | None) -> Activation | None:
    """What x * gate(x) is called."""
    if gate is None:
        return None
    if gate.kind == "sigmoid":
        return Activation("swish")
    slope = abs(gate.a - 1 / 6) < SIXTH and abs(gate.b - 0.5) < SIXTH
    return Activation("hard_swish") if gate.kind == "hard_sigmoid" and slope else None


def _sixth(graph: Graph, reader: Node) -> bool:
    divisor, factor = scalar(graph, reader, "div"), scalar(graph, reader, "mul")
    return divisor == 6 or (factor is not None and abs(factor - 1 / 6) < SIXTH)


def _activation(replaced: Node, x: str, activation: Activation) -> Node:
    return node("Activation", replaced.name, (x,), replaced.output, activation=activation)
