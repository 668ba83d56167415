"""A net as a small graph of values that never change: passes take one and give another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.locks import cached_property

Shape = tuple[int | None, ...]  # None: the number of pictures, not known yet
Weights = Mapping[str, NDArray[Any]]
NOTHING: Mapping[str, Any] = MappingProxyType({})
LONGEST_NAME = 60  # letters of a name in an error


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One operation. inputs and outputs are names of tensors; an absent optional input is "".

    attributes: plain values (int, float, str, tuple, array), see `ops.OPS` for their names.
    Nodes compare by identity, so that they can be keys.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    inferred: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)  # by `infer`

    @property
    def output(self) -> str:
        return self.outputs[0]

    def with_attributes(self, **changed: Any) -> "Node":
        return replace(self, attributes=MappingProxyType({**self.attributes, **changed}))

    def __str__(self) -> str:
        return f"{self.op[:LONGEST_NAME]} {self.name[:LONGEST_NAME]!r}"


def node(op: str, name: str, inputs: Iterable[str], output: str, **attributes: Any) -> Node:
    """A node with one output."""
    return Node(op, name, tuple(inputs), (output,), MappingProxyType(attributes))


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which they can run, and the constants they use.

    inputs: name -> shape, None for the number of pictures.   outputs: names.
    weights: name -> array; often views of the file, so never written to.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    weights: Weights
    opset: int = 0
    inferred: dict[int, Any] = field(default_factory=dict, init=False, repr=False)  # by `infer`

    @cached_property
    def _producers(self) -> dict[str, Node]:
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def _consumers(self) -> dict[str, tuple[Node, ...]]:
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(self.outputs)

    def producer(self, name: str) -> Node | None:
        """The node that makes a tensor; None for an input or a weight."""
        return self._producers.get(name)

    def consumers(self, name: str) -> tuple[Node, ...]:
        return self._consumers.get(name, ())

    def only_consumer(self, name: str) -> Node | None:
        """The one node that reads a tensor, if nobody else does and it is no output."""
        found = self.consumers(name)
        return found[0] if len(found) == 1 and name not in self._given else None

    def weight(self, name: str) -> NDArray[Any] | None:
        return self.weights.get(name)

    def unused(self, name: str) -> str:
        """`name`, with ticks behind it until no tensor of the graph is called so."""
        while name in self.weights or name in self._producers or name in self.inputs:
            name += "'"
        return name

    def changed(
        self,
        replaced: Mapping[Node, Iterable[Node]],
        weights: Weights = NOTHING,
        renamed: Mapping[str, str] = NOTHING,
    ) -> "Graph":
        """A graph with some nodes replaced by others (or none), in a runnable order.

        weights: new constants.   renamed: tensor -> the tensor that its readers shall read
        instead. What nobody needs any more is dropped. The graph itself where nothing changes.
        """
        if not (replaced or weights or renamed):
            return self
        nodes = [new for old in self.nodes for new in replaced.get(old, (old,))]
        target = _ends(renamed)
        nodes = [
            replace(node, inputs=tuple(target.get(name, name) for name in node.inputs))
            if any(name in target for name in node.inputs)
            else node
            for node in nodes
        ]
        outputs = tuple(target.get(name, name) for name in self.outputs)
        return needed(replace(self, nodes=tuple(nodes), outputs=outputs), weights)


def needed(graph: Graph, more: Weights = NOTHING) -> Graph:
    """The nodes and weights that the outputs depend on, in a runnable order."""
    weights = {**graph.weights, **more}
    ordered = in_order(graph.nodes, {*graph.inputs, *weights}, graph.outputs)
    used = {name for node in ordered for name in node.inputs} | set(graph.outputs)
    kept = {name: array for name, array in weights.items() if name in used}
    return replace(graph, nodes=ordered, weights=MappingProxyType(kept))


def in_order(
    nodes: Iterable[Node], known: Iterable[str], outputs: Iterable[str]
) -> tuple[Node, ...]:
    """The nodes that `outputs` depend on, each after those it reads from.

    Raises ModelFileError where a tensor is read that nothing makes, or a node needs itself.
    """
    known, producers = set(known), {name: node for node in nodes for name in node.outputs}
    ordered: dict[Node, None] = {}
    entered: set[Node] = set()
    stack: list[tuple[str | None, Node | None]] = [(name, None) for name in reversed([*outputs])]
    while stack:  # depth first without recursion: a hostile file may be very deep
        name, finished = stack.pop()
        if finished is not None:
            ordered[finished] = None
            continue
        assert name is not None
        if not name or name in known:
            continue
        maker = producers.get(name)
        if maker is None:
            raise ModelFileError(f"tensor {name[:60]!r} is used but nothing makes it")
        if maker in ordered:
            continue
        if maker in entered:
            raise ModelFileError(f"{maker}: its input depends on its own output")
        entered.add(maker)
        stack.append((None, maker))
        stack.extend((each, None) for each in reversed(maker.inputs))
    return tuple(ordered)


def constant(array: Any) -> NDArray[np.float32]:
    """An array as passes make new weights: float32, in C order."""
    return np.ascontiguousarray(array, np.float32)


def _ends(renamed: Mapping[str, str]) -> dict[str, str]:
    """Each name -> the last of its chain of names; every link is followed once."""
    ends: dict[str, str] = {}
    for start in renamed:
        chain, name = [], start
        while name in renamed and name not in ends:
            chain.append(name)
            name = renamed[name]
        ends.update(dict.fromkeys(chain, ends.get(name, name)))
    return ends
