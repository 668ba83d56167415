"""How many weights each layer of a file has."""

from collections.abc import Mapping

import numpy as np

from darter.net.graph import Graph, Node

STATISTICS = {"BatchNormalization": (3, 4)}  # inputs that are measured and not learned


def weights_by_layer(read: Graph) -> Mapping[str, int]:
    """name of a node -> numbers that were learned, of a graph of ONNX's operations as read.

    A weight that is transposed or cast on its way counts where it is used; one that is used twice
    counts once, at its first use. Constants of one number without axes, and whole numbers, are no
    weights; neither are the statistics of batch normalization.
    """
    carried: dict[str, frozenset[str]] = {name: frozenset((name,)) for name in read.weights}
    counted: set[str] = set()
    found: dict[str, int] = {}
    for node in read.nodes:
        inputs = [name for name in node.inputs if name]
        if all(name in carried for name in inputs):
            origin = frozenset(w for name in inputs for w in carried[name])
            carried.update(dict.fromkeys(node.outputs, origin))
            continue
        skipped = STATISTICS.get(node.op, ())
        used = {
            w
            for i, name in enumerate(node.inputs)
            if i not in skipped
            for w in carried.get(name, ())
        }
        new = [w for w in sorted(used - counted) if _is_learned(read, w)]
        counted.update(new)
        found[node.name] = found.get(node.name, 0) + sum(read.weights[w].size for w in new)
    return found


def computed(read: Graph) -> list[Node]:
    """The nodes that depend on the picture, in their order."""
    known = set(read.inputs)
    nodes = []
    for node in read.nodes:
        if node.op not in ("Shape", "Size") and known.intersection(node.inputs):
            known.update(node.outputs)
            nodes.append(node)
    return nodes


def _is_learned(read: Graph, name: str) -> bool:
    array = read.weights[name]
    return array.ndim > 0 and np.issubdtype(array.dtype, np.floating)
