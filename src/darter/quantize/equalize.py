"""Channels between two layers brought to one size, by moving factors from one to the other.

Where relu lies between two layers, or nothing, a channel may be divided by any number above 0 that
the weights behind it are multiplied by. A tensor has one scale for all of its channels, weights
have one per filter: so the factor comes from what the channels hold.
Source: Nagel et al., arXiv:1906.04721; the choice between activations and weights is that of Xiao
et al., SmoothQuant, arXiv:2211.10438.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.net import Graph, Node
from darter.quantize.places import end_of, products_of

LIMIT = 16.0  # of factors, either way: a channel that hardly ever speaks says little of its size
SHARE = 0.5  # of a channel's size that moves into the weights


def equalize(graph: Graph, largest: Mapping[str, NDArray[np.float32]]) -> Graph:
    """A graph that computes the same, with channels of more equal sizes.

    largest: of tensors, per channel, as `calibrate` sees it.
    """
    weights: dict[str, NDArray[Any]] = dict(graph.weights)
    products = {node.name: node for node in products_of(graph) if node.op == "Conv"}
    for first in products.values():
        second = _behind(graph, first, products)
        if second is None or end_of(graph, first) not in largest:
            continue
        factors = _factors(largest[end_of(graph, first)], weights[second.inputs[1]], second)
        w, b = first.inputs[1], first.inputs[2] if len(first.inputs) > 2 else ""
        weights[w] = _scaled(weights[w], 1 / factors)
        if b:
            weights[b] = (weights[b] / factors).astype(np.float32)
        weights[second.inputs[1]] = _multiplied(weights[second.inputs[1]], factors, second)
    return replace(graph, weights=weights)


def _behind(graph: Graph, first: Node, products: Mapping[str, Node]) -> Node | None:
    """The one convolution behind another, with nothing between them but relu."""
    end = end_of(graph, first)
    bend = graph.producer(end)
    if end != first.output and (bend is None or bend.op != "Relu"):
        return None
    after = graph.only_consumer(end)
    if after is None or after.name not in products or after.inputs[0] != end:
        return None
    own = [*first.inputs[1:], *after.inputs[1:]]
    return after if all(len(graph.consumers(name)) == 1 for name in own if name) else None


def _factors(size: NDArray[np.float32], w: NDArray, second: Node) -> NDArray[np.float64]:
    """Per channel between the two; their geometric mean is 1."""
    channels = np.maximum(np.asarray(size, np.float64), 1e-6 * max(float(size.max()), 1e-9))
    behind = _largest_by_channel(w, second, len(channels))
    behind = np.maximum(behind, 1e-6 * max(behind.max(), 1e-9))
    depthwise = w.shape[1] == 1 and int(second.attributes.get("group", 1)) == len(channels)
    # A depthwise filter has its scale to itself: all of the channel's size may move.
    factors = channels if depthwise else channels**SHARE / behind ** (1 - SHARE)
    factors = factors / np.exp(np.log(factors).mean())
    return np.clip(factors, 1 / LIMIT, LIMIT)


def _largest_by_channel(w: NDArray, node: Node, channels: int) -> NDArray[np.float64]:
    group = int(node.attributes.get("group", 1))
    rows = np.abs(w).reshape(group, w.shape[0] // group, channels // group, -1)
    return rows.max(axis=(1, 3)).ravel().astype(np.float64)


def _scaled(w: NDArray, factors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (w * factors.reshape(-1, *(1,) * (w.ndim - 1))).astype(np.float32)


def _multiplied(w: NDArray, factors: NDArray[np.float64], node: Node) -> NDArray[np.float32]:
    """Filters (K, C / group, R, S) times a factor per input channel (C,)."""
    group = int(node.attributes.get("group", 1))
    rows = w.reshape(group, w.shape[0] // group, w.shape[1], -1)
    return (rows * factors.reshape(group, 1, -1, 1)).reshape(w.shape).astype(np.float32)
