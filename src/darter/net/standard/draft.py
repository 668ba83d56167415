"""A graph of ONNX's operations while it grows; the functions in `STANDARD` call its methods."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.net.graph import Graph, Node, Shape, node
from darter.net.infer import infer

FEW, MORE = 2, 3  # pictures; a size that follows them is their number
Step = Callable[[str, str], None]  # emits what makes its second tensor of its first


class Draft:
    """graph: of `ops.OPS`; names of its tensors and weights stay."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.nodes = graph, list[Node]()
        self.weights: dict[str, NDArray[Any]] = dict(graph.weights)
        self._shapes = infer(graph, FEW), infer(graph, MORE)
        self._taken = {*graph.weights, *graph.inputs, *self._shapes[0]}
        self._names: set[str] = set()

    def shape(self, name: str) -> Shape:
        """None for the number of pictures."""
        few, more = (shapes[name] for shapes in self._shapes)
        return tuple(a if a == b else None for a, b in zip(few, more, strict=True))

    def emit(self, op: str, inputs: Iterable[str], output: str, **attributes: Any) -> None:
        """Add a node; attributes that are None are left out."""
        given = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(node(op, self._node_name(output), inputs, output, **given))

    def emit_many(
        self, op: str, inputs: Iterable[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """Likewise for a node with several outputs, some of them "" where nobody reads them."""
        name = self._node_name(next(filter(None, outputs)))
        self.nodes.append(Node(op, name, tuple(inputs), tuple(outputs), attributes))

    def chain(self, x: str, steps: Sequence[Step], output: str) -> None:
        """One step after the other, from x to output."""
        for number, step in enumerate(steps, 1):
            y = output if number == len(steps) else self.between(output)
            step(x, y)
            x = y

    def between(self, output: str) -> str:
        """A new name for a tensor on the way to `output`."""
        return self._new(f"{output}.part")

    def integers(self, owner: str, values: ArrayLike) -> str:
        """A constant of int64."""
        return self._constant(owner, np.asarray(values, np.int64))

    def whole(self, owner: str, values: ArrayLike) -> str:
        """A constant of integers, as they are."""
        return self._constant(owner, np.asarray(values))

    def floats(self, owner: str, values: ArrayLike) -> str:
        """A constant of float32."""
        return self._constant(owner, np.ascontiguousarray(values, np.float32))

    def _constant(self, owner: str, array: NDArray[Any]) -> str:
        name = self._new(f"{owner}.const")
        self.weights[name] = array
        return name

    def _new(self, start: str) -> str:
        name, number = start, 1
        while name in self._taken:
            name, number = f"{start}{number}", number + 1
        self._taken.add(name)
        return name

    def _node_name(self, output: str) -> str:
        name, number = output, 1
        while name in self._names:
            name, number = f"{output}.{number}", number + 1
        self._names.add(name)
        return name


Writer = Callable[[Draft, Node, Mapping[str, Any]], None]  # draft, node, its attributes
