"""ONNX nodes written one line each, with names of their own."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto


class Nodes:
    """Nodes and constants to be put around a graph; each call gives the name of a new tensor.

    opset: of the graph, 11 or more; where operations changed since, the form that it knows is
    written.   prefix: of every new name.

    >>> nodes = Nodes("around/", 18)
    >>> nodes("Add", "x", nodes.constant(1.0))
    'around/1'
    """

    def __init__(self, prefix: str, opset: int) -> None:
        self.prefix, self.opset = prefix, opset
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{self.prefix}{len(self.nodes) + len(self.constants)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: ArrayLike, dtype: DTypeLike = np.float64) -> str:
        from onnx import numpy_helper

        name = f"{self.prefix}{len(self.nodes) + len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def cast(self, value: str, dtype: DTypeLike) -> str:
        from onnx import helper

        return self("Cast", value, to=int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))

    def reshape(self, value: str, *shape: int) -> str:
        return self("Reshape", value, self.constant(shape, np.int64))

    def row_sums(self, value: str) -> str:
        """(rows, columns) -> (rows, 1)."""
        if self.opset < 13:
            return self("ReduceSum", value, axes=[1], keepdims=1)
        return self("ReduceSum", value, self.constant([1], np.int64), keepdims=1)

    def put_around(self, graph: "GraphProto", *, before: int) -> None:
        """Into a graph: the first `before` nodes ahead of its own, the others after them."""
        own = list(graph.node)
        del graph.node[:]
        graph.node.extend([*self.nodes[:before], *own, *self.nodes[before:]])
        graph.initializer.extend(self.constants)
