"""Channels that are normalized one by one and put together again are normalized at once.

torchvision's GoogLeNet and Inception-v3 do so with the picture (`transform_input`).
"""

import numpy as np

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import infer


def channel_affine(graph: Graph) -> Graph:
    """Concat of Scale(Slice of channel c) for c = 0, 1, … becomes one Scale of all channels."""
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for concat in graph.nodes:
        if concat.op != "Concat" or concat.attributes["axis"] != 1:
            continue
        parts = [_part(graph, name) for name in concat.inputs]
        found = [part for part in parts if part is not None]
        sources = {x for x, *_ in found}
        if len(found) != len(parts) or len(sources) != 1:
            continue
        (x,) = sources
        if [channel for _, channel, _, _ in found] != list(range(shapes[x][1])):
            continue
        names = [graph.unused(f"{concat.output}.{role}") for role in ("scale", "shift")]
        weights[names[0]] = constant(np.concatenate([scale for *_, scale, _ in found]))
        weights[names[1]] = constant(np.concatenate([shift for *_, shift in found]))
        replaced[concat] = [node("Scale", concat.name, (x, *names), concat.output)]
    return graph.changed(replaced, weights)


def _part(graph: Graph, name: str) -> tuple[str, int, np.ndarray, np.ndarray] | None:
    """The tensor, channel, scale and shift that one input of the Concat is made of."""
    scale = graph.producer(name)
    if scale is None or scale.op != "Scale" or scale.attributes.get("activation") is not None:
        return None
    cut = graph.producer(scale.inputs[0])
    if cut is None or cut.op != "Slice" or cut.attributes["axis"] != 1:
        return None
    start = cut.attributes["start"]
    if cut.attributes["stop"] != start + 1:
        return None
    return cut.inputs[0], start, graph.weights[scale.inputs[1]], graph.weights[scale.inputs[2]]
