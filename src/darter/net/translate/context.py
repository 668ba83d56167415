"""What is known while ONNX nodes are turned into darter's operations, one after the other.

Sizes and constants may depend on the number of pictures, which is not known yet. So everything
is worked out for two numbers of pictures at once (`BATCHES`): where both agree it is a constant,
and a size that is 2 in the one and 3 in the other is the number of pictures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, ShapeError, UnsupportedError
from darter.net.budget import Budget
from darter.net.graph import LONGEST_NAME, Graph, Node, Shape, needed, node
from darter.net.infer import Dims, infer_node
from darter.net.translate.apart import check_apart

BATCHES = (2, 3)
CHANNEL_BYTES = 64  # what passes and plans may list for a channel
MOST_OF_A_PICTURE = 2**28  # elements of one tensor for one picture: 1 GB
Values = tuple[NDArray[Any], NDArray[Any]]  # for either number of pictures; often the same object


@dataclass(frozen=True)
class Merged:
    """A tensor like (N * T, C) as it is computed: `apart` (N, T, C), whose axes from `at` on, so
    many as `lead`, are one."""

    apart: str
    at: int
    lead: int


class Translation:
    """Grows a Graph. The functions in `table.TRANSLATIONS` call its methods.

    inputs: name -> shape, None for the number of pictures.
    written: the number of pictures that the file was written for, if it insists on one; a
        reshape that names it means the number of pictures.
    """

    def __init__(
        self,
        inputs: Mapping[str, Shape],
        opset: int,
        written: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.opset, self.inputs, self.written = opset, inputs, written
        self.budget = budget or Budget()
        self.nodes: list[Node] = []
        self.weights: dict[str, NDArray[np.float32]] = {}
        self.values: dict[str, Values] = {}
        self._repeated: set[str] = set()  # constants that are made for every picture
        self.whole: set[str] = set()  # computed tensors whose values are whole numbers
        self.merged: dict[str, Merged] = {}  # what has pictures and rows on one axis
        self._same: dict[str, str] = {}  # tensor -> the one that it is another name of
        self._shapes: tuple[dict[str, Dims], dict[str, Dims]] = ({}, {})
        for number, batch in enumerate(BATCHES):
            for name, shape in inputs.items():
                dims = tuple(batch if size is None else size for size in shape)
                self._shapes[number][name] = dims

    # Reading

    def dims(self, name: str) -> tuple[Dims, Dims]:
        """The shape of a tensor for either number of pictures."""
        if name in self.values:
            first, second = self.values[name]
            return first.shape, second.shape
        return self._shapes[0][name], self._shapes[1][name]

    def shape(self, name: str) -> Shape:
        return unite(*self.dims(name))

    def constant(self, source: Node, number: int) -> NDArray[Any] | None:
        """The value of an input that must be known now; None where it is left out.

        Raises UnsupportedError if it is computed from pictures or depends on their number.
        """
        if number >= len(source.inputs) or not source.inputs[number]:
            return None
        name = source.inputs[number]
        if name not in self.values:
            raise UnsupportedError(f"its input {number} ({name[:60]!r}) must be a constant")
        first, second = self.values[name]
        if first is not second and not np.array_equal(first, second):
            raise UnsupportedError(f"its input {number} ({name[:60]!r}) depends on the batch size")
        return first

    def sizes(self, source: Node, number: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Like `constant` for a list of sizes, which may be the number of pictures."""
        if number >= len(source.inputs) or not source.inputs[number]:
            return None
        name = source.inputs[number]
        if name not in self.values:
            raise UnsupportedError(f"its input {number} ({name[:60]!r}) must be a constant")
        first, second = ([int(size) for size in value.ravel()] for value in self.values[name])
        return tuple(first), tuple(second)

    # Writing

    def emit(self, op: str, source: Node, inputs: Iterable[str], output: str, **attributes) -> str:
        """Add a node that makes `output`; returns its name. Constants it reads become weights."""
        self._add(node(op, source.name, self._read(inputs), output, **attributes))
        return output

    def emit_many(
        self, op: str, source: Node, inputs: Iterable[str], outputs: Iterable[str], **attributes
    ) -> None:
        """Likewise for a node with several outputs."""
        self._add(Node(op, source.name, self._read(inputs), tuple(outputs), attributes))

    def _read(self, inputs: Iterable[str]) -> tuple[str, ...]:
        inputs = tuple(self._same.get(name, name) for name in inputs)
        for name in inputs:
            if name in self.merged:
                raise UnsupportedError("takes the rows of all pictures as one axis")
            self._need_weight(name)
        return inputs

    def _add(self, made: Node) -> None:
        for name in made.inputs:
            if name in self.weights and not self.weights[name].size and made.op != "Eltwise":
                raise UnsupportedError(f"the constant {name[:60]!r} is empty")
        for shapes in self._shapes:
            shapes.update(infer_node(made, shapes))
        for name in made.outputs:
            check_one_picture(name, self.shape(name))
            channels = (self.shape(name)[1:2] or (1,))[0]
            self.budget.make(CHANNEL_BYTES * (channels or 1), f"{name[:LONGEST_NAME]!r}")
        check_apart(made, self.shape, lambda name: self.dims(name)[0])
        self.nodes.append(made)

    def weight(self, source: Node, role: str, array: Any) -> str:
        """Name a new constant, e.g. "conv1.bias"."""
        name = base = f"{source.output}.{role}"
        taken = 0
        while name in self.weights or name in self.values or name in self._shapes[0]:
            taken += 1
            name = f"{base}.{taken}"
        self.know(name, np.asarray(array, np.float32))
        return name

    def know(self, name: str, first: NDArray[Any], second: NDArray[Any] | None = None) -> None:
        """Record a constant, for either number of pictures if they differ."""
        self.values[name] = (first, first if second is None else second)
        count = held_bytes(first) + (0 if second is None else held_bytes(second))
        self.budget.make(count, f"{name[:LONGEST_NAME]!r}")

    def count_spread(self, name: str) -> None:
        """Take for a constant that is one number many times, and is now worked with, all of it."""
        for array in self.values.get(name, ())[:1]:
            self.budget.make(array.nbytes - held_bytes(array), f"{name[:LONGEST_NAME]!r}")

    def know_weight(self, name: str, array: NDArray[Any]) -> None:
        """Record a constant that the file holds: it takes no more than the file does."""
        self.values[name] = (array, array)

    def alias(self, source: Node) -> None:
        """The node does nothing: its readers read its input instead."""
        self.rename(source, source.inputs[0])

    def rename(self, source: Node, name: str) -> None:
        """Readers of the node's output read this tensor instead."""
        output = source.output
        if name in self.whole:
            self.whole.add(output)
        if name in self.values:
            self.values[output] = self.values[name]
            return
        self._same[output] = self._same.get(name, name)
        for shapes in self._shapes:
            shapes[output] = shapes[name]

    def merge(self, name: str, merged: "Merged") -> None:
        """Record a tensor of the file that is never made: what is made has its pictures apart."""
        self.merged[name] = merged
        at, behind = merged.at, merged.at + merged.lead
        for shapes, dims in zip(self._shapes, self.dims(merged.apart), strict=True):
            shapes[name] = (*dims[:at], prod(dims[at:behind]), *dims[behind:])

    def between(self, source: Node, role: str) -> str:
        """A name for a tensor inside what was one node."""
        return f"{source.output}.{role}"

    def _need_weight(self, name: str) -> None:
        if name not in self.values or name in self.weights:
            return
        first, second = self.values[name]
        if first is not second and _is_repeated(first, second):
            self._repeat(name, first[:1])
            return
        if first is not second and not np.array_equal(first, second):
            why = "depends on the batch size" if first.size else "is empty"
            raise UnsupportedError(f"the constant {name[:60]!r} {why}")
        if first.dtype.kind not in "fiub":
            raise UnsupportedError(f"constants of type {first.dtype} are not supported")
        if first.dtype != np.float32 or not first.flags.c_contiguous:
            self.budget.make(4 * first.size, f"{name[:LONGEST_NAME]!r}")
        # The file's own bytes where they lie as the compiled core wants them.
        self.weights[name] = np.require(first, np.float32, ("C", "A"))
        for shapes in self._shapes:
            shapes[name] = first.shape

    def _repeat(self, name: str, one: NDArray[Any]) -> None:
        """A constant (1, ...) that every picture gets, as a token of the class, made by a node."""
        if name in self._repeated:
            return
        self._repeated.add(name)
        self.know(f"{name}.one", one)
        self._need_weight(f"{name}.one")
        inputs = f"{name}.one", next(iter(self.inputs))
        self._add(node("Expand", name, inputs, name, shape=(None, *one.shape[1:])))

    def finish(self, outputs: tuple[str, ...]) -> Graph:
        for name in outputs:
            if name in self.values:
                raise ModelFileError(f"its output {name[:60]!r} does not depend on the pictures")
            if name in self.merged:
                raise UnsupportedError(
                    f"its output {name[:60]!r} has pictures and rows on one axis"
                )
        outputs = tuple(self._same.get(name, name) for name in outputs)
        graph = Graph(tuple(self.nodes), self.inputs, outputs, self.weights, self.opset)
        return needed(graph)


def held_bytes(array: NDArray[Any]) -> int:
    """Of memory: less than `nbytes` where the same number is given many times (`broadcast_to`)."""
    pairs = zip(array.shape, array.strides, strict=True)
    return array.itemsize * prod(size for size, stride in pairs if stride)


def _is_repeated(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether it is one constant, once for each picture on the first axis."""
    if (first.shape[:1], second.shape[:1]) != tuple((batch,) for batch in BATCHES):
        return False
    return first.shape[1:] == second.shape[1:] and all(
        np.array_equal(row, first[0]) for row in (*first, *second)
    )


def unite(first: Dims, second: Dims) -> Shape:
    """One shape from two: None where the sizes are the numbers of pictures.

    Raises UnsupportedError where a size depends on the number of pictures in another way.
    """
    if first == second:
        return first
    if first[1:] == second[1:] and (first[0], second[0]) == BATCHES:
        return (None, *first[1:])
    if len(first) != len(second):
        raise UnsupportedError(f"the rank depends on the batch size: {first}, {second}")
    shape = tuple(a if a == b else None for a, b in zip(first, second, strict=True))
    different = [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]]
    if different != [BATCHES]:
        raise UnsupportedError(
            f"{first} for {BATCHES[0]} pictures and {second} for {BATCHES[1]}: "
            "pictures must stay apart, on an axis of their own"
        )
    return shape


def check_one_picture(name: str, shape: Shape) -> None:
    size = prod(1 if each is None else each for each in shape)
    if size > MOST_OF_A_PICTURE:
        raise ShapeError(
            f"tensor {name[:60]!r} would have {size:,} elements for one picture; "
            f"darter's limit is {MOST_OF_A_PICTURE:,}"
        )
