"""Layers of +1 and -1 are recognized, so that they run on bits.

In a file they are plain ONNX: Where(x >= threshold, 1, -1), then a Conv whose filters have one size
and two signs each. Not Sign: ONNX's is 0 at 0, and a bit is not.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import infer
from darter.net.passes.patterns import is_eltwise

Dims = tuple[int, ...]
New = dict[str, NDArray[np.float32]]  # weights that passes make


def binary_layers(graph: Graph) -> Graph:
    """Where(x >= c, 1, -1) and the Convs that read it become Binarize and BinaryConv."""
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    weights: New = {}
    for choice in graph.nodes:
        readers = graph.consumers(choice.output)
        if choice.op != "Where" or choice.output in graph.outputs or not readers:
            continue
        found = _binarized(graph, choice, shapes)
        if found is None or not all(_is_binary(graph, each, choice.output) for each in readers):
            continue
        x, threshold = found
        name = graph.unused(f"{choice.output}.threshold")
        weights[name] = constant(threshold)
        replaced[choice] = [node("Binarize", choice.name, (x, name), choice.output)]
        replaced |= {conv: [_binary_conv(graph, conv, weights)] for conv in readers}
    return graph.changed(replaced, weights)


def after_binary(graph: Graph) -> Graph:
    """Scales, a PRelu and shifts that follow a BinaryConv become part of it."""
    replaced: dict[Node, list[Node]] = {}
    weights: New = {}
    for conv in graph.nodes:
        if conv.op != "BinaryConv":
            continue
        last, after = conv, [np.asarray(graph.weights[n], np.float64) for n in conv.inputs[2:6]]
        while (reader := graph.only_consumer(last.output)) is not None:
            more = _after(graph, reader, after, residual=len(conv.inputs) > 6)
            if more is None:
                break
            replaced[last], last, after = [], reader, more
        if last is conv:
            continue
        names = [graph.unused(f"{last.output}.{role}") for role in AFTER]
        weights |= {name: constant(array) for name, array in zip(names, after, strict=True)}
        inputs = (*conv.inputs[:2], *names, *conv.inputs[6:])
        replaced[last] = [replace(conv, inputs=inputs, outputs=last.outputs)]
    return graph.changed(replaced, weights)


AFTER = ("scale", "bias", "slope", "shift")


def _after(graph: Graph, reader: Node, after: list[Any], *, residual: bool) -> list[Any] | None:
    """Scale, bias, slope and shift with what the next node does; None for any other node."""
    scale, bias, slope, shift = after
    straight = (slope == 1).all() and not shift.any()
    if reader.op == "Scale" and reader.attributes.get("activation") is None:
        factor, moved = (np.asarray(graph.weights[n], np.float64) for n in reader.inputs[1:])
        if straight and (not residual or (factor == 1).all()):
            return [scale * factor, bias * factor + moved, slope, shift]
        return [scale, bias, slope, shift + moved] if (factor == 1).all() else None
    if reader.op == "PRelu" and straight and reader.inputs[0] not in graph.weights:
        found = graph.weights[reader.inputs[1]]
        k = len(scale)
        if found.size == 1 or found.shape == (k, 1, 1) or found.shape == (1, k, 1, 1):
            return [scale, bias, np.broadcast_to(found.ravel(), (k,)), shift]
    return None


def binary_chains(graph: Graph) -> Graph:
    """A BinaryConv that only a Binarize reads gives bits itself."""
    replaced: dict[Node, list[Node]] = {}
    for conv in graph.nodes:
        reader = graph.only_consumer(conv.output)
        if conv.op != "BinaryConv" or len(conv.inputs) > 6 or reader is None:
            continue
        slope, shift = (graph.weights[name] for name in conv.inputs[4:6])
        if reader.op == "Binarize" and (slope == 1).all() and not shift.any():
            inputs = (*conv.inputs[:4], reader.inputs[1])
            bits = replace(conv, op="BinaryConvBits", inputs=inputs, outputs=reader.outputs)
            replaced |= {conv: [], reader: [bits]}
    return graph.changed(replaced)


def _binarized(
    graph: Graph, choice: Node, shapes: Mapping[str, Dims]
) -> tuple[str, NDArray[Any]] | None:
    """The tensor and the thresholds per channel of Where(c <= x, 1, -1)."""
    condition, *values = choice.inputs
    compared = graph.producer(condition)
    if not is_eltwise(compared, "less_equal") or not all(v in graph.weights for v in values):
        return None
    one, other = (graph.weights[v] for v in values)
    assert compared is not None
    bound, x = compared.inputs
    if one.size != 1 or other.size != 1 or one.item() != 1 or other.item() != -1:
        return None
    if bound not in graph.weights or x in graph.weights or len(shapes[x]) != 4:
        return None
    c = graph.weights[bound]
    channels = shapes[x][1]
    if c.size != 1 and c.shape not in ((channels, 1, 1), (1, channels, 1, 1)):
        return None
    if shapes[choice.output] != shapes[x] or np.isnan(c).any():
        return None
    return _before_scale(graph, x, np.broadcast_to(c.ravel(), (channels,)).astype(np.float64))


def _before_scale(graph: Graph, x: str, threshold: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """x + shift >= t is x >= t - shift, exactly where t or shift is 0: a learned threshold."""
    maker = graph.producer(x)
    if maker is None or maker.op != "Scale" or maker.attributes.get("activation") is not None:
        return x, threshold
    factor, shift = (np.asarray(graph.weights[n], np.float64) for n in maker.inputs[1:])
    if (factor != 1).any() or (threshold * shift != 0).any():
        return x, threshold
    return maker.inputs[0], threshold - shift


def _is_binary(graph: Graph, conv: Node, x: str) -> bool:
    """Whether a node is a plain Conv of x by filters of one size and two signs each."""
    given = conv.attributes
    if conv.op != "Conv" or conv.inputs[0] != x or x in conv.inputs[1:]:
        return False
    plain = given.get("activation") is None and given.get("border", "zeros") == "zeros"
    size = np.abs(graph.weights[conv.inputs[1]])
    return (
        plain
        and given.get("group", 1) == 1
        and bool((size == size[:, :1, :1, :1]).all() and (size > 0).all())
        and bool(np.isfinite(size).all())
    )


def _binary_conv(graph: Graph, conv: Node, weights: New) -> Node:
    w = graph.weights[conv.inputs[1]]
    names = [graph.unused(f"{conv.output}.{role}") for role in ("scale", "slope", "shift")]
    arrays = np.abs(w[:, 0, 0, 0]), np.ones(len(w)), np.zeros(len(w))
    weights |= {name: constant(array) for name, array in zip(names, arrays, strict=True)}
    scale, slope, shift = names
    x, filters, bias, *residual = conv.inputs
    window = {k: v for k, v in conv.attributes.items() if k in ("strides", "pads", "dilations")}
    inputs = (x, filters, scale, bias, slope, shift, *residual)
    return Node("BinaryConv", conv.name, inputs, conv.outputs, window)
