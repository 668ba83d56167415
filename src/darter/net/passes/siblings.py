"""Convolutions of 1×1 that read the same tensor are one convolution, then split (Inception)."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from darter.net.graph import Graph, Node, constant


def merge_siblings(graph: Graph) -> Graph:
    """Parallel 1×1 convolutions with the same strides and activation become Conv -> Split."""
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for name in dict.fromkeys(each.inputs[0] for each in graph.nodes if _pointwise(graph, each)):
        groups: dict[tuple, list[Node]] = {}
        for each in graph.consumers(name):
            if _pointwise(graph, each) and each.inputs[0] == name:
                key = (each.attributes.get("strides"), each.attributes.get("activation"))
                groups.setdefault(key, []).append(each)
        for convs in groups.values():
            if len(convs) > 1:
                first, *_ = convs
                merged = graph.unused(f"{first.output}.merged")
                names = [f"{merged}.w", f"{merged}.b"]
                for place, role in enumerate(names, 1):
                    arrays = [graph.weights[conv.inputs[place]] for conv in convs]
                    weights[role] = constant(np.concatenate(arrays))
                sizes = tuple(len(graph.weights[conv.inputs[2]]) for conv in convs)
                outputs = tuple(conv.output for conv in convs)
                cut = MappingProxyType({"axis": 1, "sizes": sizes})
                replaced.update({conv: [] for conv in convs})
                replaced[first] = [
                    replace(first, inputs=(name, *names), outputs=(merged,)),
                    Node("Split", f"{first.name}.split", (merged,), outputs, cut),
                ]
    return graph.changed(replaced, weights)


def _pointwise(graph: Graph, each: Node) -> bool:
    return (
        each.op == "Conv"
        and len(each.inputs) == 3
        and each.attributes.get("group", 1) == 1
        and graph.weights[each.inputs[1]].shape[2:] == (1, 1)
        and not any(each.attributes.get("pads", ()))
    )
