"""Weights of two signs take one bit each in a file, and standard ONNX unpacks them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

LEAST = 1024  # weights; smaller tensors are left as they are


def pack_signs(model: "ModelProto") -> "ModelProto":
    """Write filters whose weights are one size and two signs as bytes of eight signs, unpacked by
    BitShift, BitwiseAnd and arithmetic that every runtime does once, when it loads the file.

    Exact: what is unpacked are the same float32 numbers. Changes the model in place.
    """
    from onnx import numpy_helper

    graph = model.graph
    found = []
    for tensor in graph.initializer:
        if tensor.data_type == tensor.FLOAT and len(tensor.dims) in (2, 4):
            array = numpy_helper.to_array(tensor)
            size = np.abs(array.reshape(len(array), -1))
            if array.size >= LEAST and (size == size[:, :1]).all() and size.all():
                found.append((tensor, array))
    shared = {"signs.shifts": np.arange(8, dtype=np.uint8), "signs.one": np.uint8(1),
              "signs.two": np.float32(2), "signs.unit": np.float32(1), "signs.first": np.array([0]),
              "signs.axis": np.array([1]), "signs.last": np.array([2])}  # fmt: skip
    if found:
        graph.initializer.extend(
            numpy_helper.from_array(np.asarray(v), k) for k, v in shared.items()
        )
    nodes: list[NodeProto] = []
    for tensor, array in found:
        name = tensor.name
        graph.initializer.remove(tensor)
        own, made = _unpacking(name, array)
        graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in own.items())
        nodes += made
    rest = [*graph.node]
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    return model


def _unpacking(
    name: str, array: NDArray[np.float32]
) -> tuple[dict[str, NDArray], "list[NodeProto]"]:
    """The constants and nodes that make the tensor again."""
    from onnx import TensorProto, helper

    k, count = len(array), array.size // len(array)
    flat = array.reshape(k, count)
    own = {
        f"{name}.signs": np.packbits(flat > 0, axis=1, bitorder="little"),
        f"{name}.size": np.abs(flat[:, :1]),
        f"{name}.rows": np.array([k, -1]),
        f"{name}.count": np.array([count]),
        f"{name}.shape": np.array(array.shape),
    }
    steps: tuple[tuple[str, tuple[str, ...], str, dict[str, Any]], ...] = (
        ("Unsqueeze", (f"{name}.signs", "signs.last"), "bytes", {}),
        ("BitShift", (f"{name}.bytes", "signs.shifts"), "shifted", {"direction": "RIGHT"}),
        ("BitwiseAnd", (f"{name}.shifted", "signs.one"), "bits", {}),
        ("Reshape", (f"{name}.bits", f"{name}.rows"), "lines", {}),
        ("Slice", (f"{name}.lines", "signs.first", f"{name}.count", "signs.axis"), "cut", {}),
        ("Cast", (f"{name}.cut",), "floats", {"to": TensorProto.FLOAT}),
        ("Mul", (f"{name}.floats", "signs.two"), "doubled", {}),
        ("Sub", (f"{name}.doubled", "signs.unit"), "ones", {}),
        ("Mul", (f"{name}.ones", f"{name}.size"), "sized", {}),
        ("Reshape", (f"{name}.sized", f"{name}.shape"), "", {}),
    )
    nodes = []
    for number, (op, inputs, role, attributes) in enumerate(steps):
        output = f"{name}.{role}" if role else name
        title = f"{name}/{op}{number}"
        nodes.append(helper.make_node(op, inputs, [output], name=title, **attributes))
    return own, nodes
