"""Whether a model that darter cannot run may be handed to ONNX Runtime without being asked for.

ONNX Runtime runs what a file says: a loop that never ends, tensors larger than the memory. So only
graphs whose work is known before they run are handed over.
"""

from math import prod
from typing import TYPE_CHECKING, Any

from darter.net import ModelFile

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

UNBOUNDED = frozenset(("Loop", "Scan", "If", "SequenceMap"))  # how often, or whether, is unknown
MOST_BYTES = 4 << 30  # of all tensors of one picture together
MOST_ELEMENTS = 1 << 24  # of one tensor, where sizes depend on values


def why_not_by_itself(model: ModelFile) -> str | None:
    """Why only `--runtime onnxruntime` should run the file there; None where nothing speaks
    against it."""
    kinds = sorted({node.op_type for node in _nodes(model.proto)} & UNBOUNDED)
    if kinds:
        return f"it has loops or branches ({', '.join(kinds)})"
    try:
        total = _tensor_bytes(model.proto)
    except Exception as error:  # shape inference raises nearly anything on hostile graphs
        return f"its shapes make no sense ({' '.join(str(error).split())[:120]})"
    if total is None:
        return "it has tensors whose size is only known when it runs"
    if total > MOST_BYTES:
        return f"its tensors would take {total / 1e9:.0f} GB for one picture"
    return None


def _nodes(proto: "ModelProto") -> "list[NodeProto]":
    """All nodes, those of nested graphs and of functions too."""
    found: list[NodeProto] = []
    waiting = [*proto.graph.node, *(node for f in proto.functions for node in f.node)]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting.extend(graph.node)
    return found


def _tensor_bytes(proto: "ModelProto") -> int | None:
    """Of everything that the nodes make for one picture; None where a size stays unknown."""
    from onnx import ModelProto, shape_inference

    one = ModelProto.FromString(proto.SerializeToString())
    weights = {tensor.name for tensor in one.graph.initializer}
    for entry in one.graph.input:
        if entry.name in weights:
            continue
        for axis, size in enumerate(entry.type.tensor_type.shape.dim):
            if size.dim_value <= 0:
                size.dim_value = 1 if axis == 0 else 224
    del one.graph.value_info[:]
    for entry in one.graph.output:
        entry.type.tensor_type.ClearField("shape")
    made = [name for node in one.graph.node for name in node.output if name]
    sizes = _sizes(shape_inference.infer_shapes(one).graph)
    if any(name not in sizes for name in made):
        if max(sizes.values(), default=0) > MOST_ELEMENTS:  # values of such a size would be listed
            return None
        sizes = _sizes(shape_inference.infer_shapes(one, data_prop=True).graph)
    if any(name not in sizes for name in made):
        return None
    return sum(8 * sizes[name] for name in made)


def _sizes(graph: "GraphProto") -> dict[str, int]:
    """name -> elements, of the tensors whose every side is known."""
    sizes = {}
    for entry in (*graph.value_info, *graph.output):
        tensor: Any = entry.type.tensor_type
        sides = [side.dim_value for side in tensor.shape.dim]
        if tensor.HasField("shape") and all(
            side.HasField("dim_value") for side in tensor.shape.dim
        ):
            sizes[entry.name] = prod(sides)
    return sizes
