"""Joins along channels cost nothing where their inputs are written side by side at once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from darter.kernels import BLOCK
from darter.net.graph import Graph, Node

Dims = tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """Where a tensor shall be written: from this channel on, in the array of `parent`."""

    parent: str
    channel: int


def slots(graph: Graph, shapes: Mapping[str, Dims]) -> dict[str, Slot]:
    """tensor -> its place in what it is joined to, as far as slices begin at whole blocks.

    The largest joins choose first: where nets join ever more (DenseNet), the smaller ones are
    the beginning of the largest.
    """
    found: dict[str, Slot] = {}
    joins = [n for n in graph.nodes if n.op == "Concat" and _in_whole_blocks(n, shapes)]
    for node in sorted(joins, key=lambda n: -shapes[n.output][1]):
        outer = found.get(node.output, Slot(node.output, 0))  # a join may lie in a larger one
        channel, times = outer.channel, Counter(node.inputs)
        for name in node.inputs:
            free = name not in found and graph.producer(name) is not None
            if free and times[name] == 1:
                found[name] = Slot(outer.parent, channel)
            channel += shapes[name][1]
    return found


def _in_whole_blocks(node: Node, shapes: Mapping[str, Dims]) -> bool:
    shape = shapes[node.output]
    along_channels = node.attributes["axis"] in (1, 1 - len(shape)) and len(shape) in (2, 4)
    return along_channels and not any(shapes[name][1] % BLOCK for name in node.inputs[:-1])
