"""Group normalizations that exporters write with reshapes are one node again."""

from dataclasses import replace

import numpy as np

from darter.net.graph import Graph, Node, constant
from darter.net.infer import infer
from darter.net.ops import attributes


def group_norm(graph: Graph) -> Graph:
    """Reshape to (N, groups, all) -> GroupNorm of each -> Reshape back becomes one GroupNorm."""
    shapes = infer(graph, 2)
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for norm in graph.nodes:
        before, after = graph.producer(norm.inputs[0]), graph.only_consumer(norm.output)
        if norm.op != "GroupNorm" or before is None or after is None:
            continue
        if before.op != "Reshape" or after.op != "Reshape":
            continue
        x, apart = shapes[before.inputs[0]], shapes[norm.output]
        groups = apart[1]
        if shapes[after.output] != x or apart[0] != x[0] or len(x) < 3 or x[1] % groups:
            continue
        if attributes(norm.op, norm.attributes)["groups"] != groups:
            continue
        names = [graph.unused(f"{after.output}.{role}") for role in ("scale", "shift")]
        for name, old in zip(names, norm.inputs[1:], strict=True):
            weights[name] = constant(np.repeat(graph.weights[old], x[1] // groups))
        replaced[norm] = []
        replaced[after] = [replace(norm, inputs=(before.inputs[0], *names), outputs=after.outputs)]
    return graph.changed(replaced, weights)


def scale_into_norm(graph: Graph) -> Graph:
    """GroupNorm -> Scale becomes the GroupNorm with other weights."""
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for norm in graph.nodes:
        scale = graph.only_consumer(norm.output)
        if norm.op != "GroupNorm" or scale is None or scale.op != "Scale":
            continue
        if scale.attributes.get("activation") is not None:
            continue
        own, shift, factor, term = (
            np.asarray(graph.weights[name], np.float64)
            for name in (*norm.inputs[1:], *scale.inputs[1:])
        )
        names = [graph.unused(f"{scale.output}.{role}") for role in ("scale", "shift")]
        weights[names[0]] = constant(own * factor)
        weights[names[1]] = constant(shift * factor + term)
        replaced[norm] = []
        replaced[scale] = [replace(norm, inputs=(norm.inputs[0], *names), outputs=scale.outputs)]
    return graph.changed(replaced, weights)
