"""Nodes that only move numbers: merged where two follow each other, dropped where idle."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from darter.net.graph import Graph, Node
from darter.net.infer import infer


def merge_moves(graph: Graph) -> Graph:
    """Reshape -> Reshape and Transpose -> Transpose become one; repeated until none is left."""
    replaced: dict[Node, list[Node]] = {}
    for second in graph.nodes:
        first = graph.producer(second.inputs[0])
        if first is None or first.op != second.op or first in replaced:
            continue
        inputs = first.inputs
        if second.op == "Reshape":
            replaced[second] = [replace(second, inputs=inputs)]
        elif second.op == "Transpose":
            order = tuple(first.attributes["order"][axis] for axis in second.attributes["order"])
            replaced[second] = [replace(second.with_attributes(order=order), inputs=inputs)]
    return merge_moves(graph.changed(replaced)) if replaced else graph


def drop_idle_moves(graph: Graph) -> Graph:
    """Reshape to the same shape, Transpose to the same order, Concat of one: nothing to do."""
    shapes = infer(graph, 2)
    idle = {each: each.inputs[0] for each in graph.nodes if _is_idle(each, shapes)}
    renamed = {each.output: name for each, name in idle.items()}
    return graph.changed(dict.fromkeys(idle, ()), renamed=renamed)


def _is_idle(each: Node, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    if each.op in ("Reshape", "Expand"):
        return shapes[each.inputs[0]] == shapes[each.output]
    if each.op == "Transpose":
        order = each.attributes["order"]
        return order == tuple(range(len(order)))
    if each.op in ("Concat", "Split"):
        return len(each.inputs) == len(each.outputs) == 1
    if each.op == "Activation":
        activation = each.attributes["activation"]
        return activation.kind == "clip" and activation.a == -inf and activation.b == inf
    return False
