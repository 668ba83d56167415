"""A scale and shift per channel (a batch normalization) becomes part of the product next to it."""

from dataclasses import replace

import numpy as np

from darter.net.graph import Graph, Node, constant
from darter.net.infer import infer


def fold_scale_after(graph: Graph) -> Graph:
    """Product -> Scale becomes the product with other weights: w * scale, b * scale + shift."""
    ranks = {name: len(shape) for name, shape in infer(graph, 1).items()}
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for product in graph.nodes:
        scale = graph.only_consumer(product.output)
        if scale is None or scale.op != "Scale" or not _plain(product, ranks):
            continue
        factor, shift = (np.asarray(graph.weights[n], np.float64) for n in scale.inputs[1:])
        w, b = (np.asarray(graph.weights[n], np.float64) for n in product.inputs[1:])
        names = _names(graph, scale, "w", "b")
        weights[names[0]] = constant(w * factor.reshape(-1, *(1,) * (w.ndim - 1)))
        weights[names[1]] = constant(b * factor + shift)
        replaced[product] = []
        replaced[scale] = [
            replace(
                product.with_attributes(activation=scale.attributes.get("activation")),
                inputs=(product.inputs[0], *names),
                outputs=scale.outputs,
            )
        ]
    return graph.changed(replaced, weights)


def fold_scale_before(graph: Graph) -> Graph:
    """Scale -> Conv becomes the Conv with other weights, where that is exact at the border.

    Padding is zeros: what was scaled is still zero there, but what was shifted is not. So with
    padding only a scale without shift moves into the filters. This sinks the normalization of
    the pictures into the first convolution.
    """
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    for conv in graph.nodes:
        scale = graph.producer(conv.inputs[0])
        if scale is None or conv.op != "Conv" or not _only_scales(graph, scale, conv):
            continue
        factor, shift = (np.asarray(graph.weights[n], np.float64) for n in scale.inputs[1:])
        if any(conv.attributes.get("pads", ())) and shift.any():
            continue
        w, b = (np.asarray(graph.weights[n], np.float64) for n in conv.inputs[1:3])
        per_input = _per_input(factor, conv, w), _per_input(shift, conv, w)
        names = _names(graph, conv, "w", "b")
        weights[names[0]] = constant(w * per_input[0])
        weights[names[1]] = constant(b + (w * per_input[1]).sum((1, 2, 3)))
        replaced[scale] = []
        replaced[conv] = [replace(conv, inputs=(scale.inputs[0], *names, *conv.inputs[3:]))]
    return graph.changed(replaced, weights)


def merge_scales(graph: Graph) -> Graph:
    """Scale -> Scale becomes one; repeated until there are no two in a row."""
    replaced: dict[Node, list[Node]] = {}
    weights = {}
    taken: set[Node] = set()
    for first in graph.nodes:
        second = graph.only_consumer(first.output)
        if first.op != "Scale" or second is None or second.op != "Scale" or first in taken:
            continue
        if first.attributes.get("activation") is not None:
            continue
        (s1, t1), (s2, t2) = (
            [np.asarray(graph.weights[n], np.float64) for n in each.inputs[1:]]
            for each in (first, second)
        )
        names = _names(graph, second, "scale", "shift")
        weights.update({names[0]: constant(s1 * s2), names[1]: constant(t1 * s2 + t2)})
        taken.add(second)
        replaced[first] = []
        replaced[second] = [replace(second, inputs=(first.inputs[0], *names))]
    return merge_scales(graph.changed(replaced, weights)) if replaced else graph


def _plain(product: Node, ranks: dict[str, int]) -> bool:
    """Nothing follows the product yet, and its outputs are on axis 1, where Scale works."""
    return (
        (product.op == "Conv" or (product.op == "Gemm" and ranks[product.output] == 2))
        and len(product.inputs) == 3
        and product.attributes.get("activation") is None
    )


def _only_scales(graph: Graph, scale: Node, conv: Node) -> bool:
    return (
        scale.op == "Scale"
        and scale.attributes.get("activation") is None
        and graph.only_consumer(scale.output) is conv
        and conv.inputs.count(scale.output) == 1
    )


def _per_input(values: np.ndarray, conv: Node, w: np.ndarray) -> np.ndarray:
    """(C,) as (K, C / group, 1, 1): filter k sees the channels of its group."""
    group = conv.attributes.get("group", 1)
    grouped = values.reshape(group, 1, -1)
    per_filter = np.broadcast_to(grouped, (group, len(w) // group, w.shape[1]))
    return per_filter.reshape(len(w), w.shape[1], 1, 1)


def _names(graph: Graph, maker: Node, *roles: str) -> list[str]:
    return [graph.unused(f"{maker.output}.{role}") for role in roles]
