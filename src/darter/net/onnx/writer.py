"""Graph -> ONNX message: what a person, another runtime or `read_model` can open again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, OptionError, UnsupportedError
from darter.net.graph import NOTHING, Graph, Node, Shape
from darter.net.infer import infer
from darter.net.onnx.modelfile import LARGEST
from darter.net.standard import standard

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

IR_VERSION = 9  # of files with operations of version 20
PICTURES = "N"  # what the number of pictures is called in the file


def to_model(
    graph: Graph,
    *,
    outputs: Sequence[str] | None = None,
    metadata: Mapping[str, str] = NOTHING,
) -> "ModelProto":
    """A graph of `ops.OPS` as an ONNX model, which any runtime can run.

    outputs: names that its outputs get, in their order; by default they keep theirs.
    metadata: entries of `metadata_props`.
    Raises UnsupportedError for what ONNX cannot say or where the weights exceed protobuf's 2 GB.
    """
    written = standard(graph)
    written = _named(written, tuple(outputs)) if outputs is not None else written
    few, more = infer(graph, 2), infer(graph, 3)
    shapes = [
        tuple(a if a == b else None for a, b in zip(few[name], more[name], strict=True))
        for name in graph.outputs
    ]
    from onnx import helper

    model = helper.make_model(
        _graph(
            written,
            [_value_info(name, shape) for name, shape in graph.inputs.items()],
            [_value_info(*each) for each in zip(written.outputs, shapes, strict=True)],
        ),
        opset_imports=[helper.make_opsetid("", written.opset)],
        ir_version=IR_VERSION,
        producer_name="darter",
    )
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model


def with_graph(model: "ModelProto", graph: Graph) -> "ModelProto":
    """The model with another graph of ONNX's operations, as `read_graph` gives them.

    Its inputs, outputs, version and metadata stay; functions of the file are written out in the
    graph already. Raises UnsupportedError where a node has nested graphs, ModelFileError where the
    graph has other inputs or outputs.
    """
    from onnx import ModelProto

    given = [entry for entry in model.graph.input if entry.name in graph.inputs]
    taken = [entry for entry in model.graph.output if entry.name in graph.outputs]
    if len(given) != len(graph.inputs) or len(taken) != len(set(graph.outputs)):
        raise ModelFileError("the changed graph has inputs or outputs that the model has not")
    made = ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
        metadata_props=model.metadata_props,
    )
    made.graph.CopyFrom(_graph(graph, given, taken))
    made.graph.name = model.graph.name
    return made


def _named(graph: Graph, names: tuple[str, ...]) -> Graph:
    """The outputs under other names; a tensor that has such a name already gets a tick."""
    if len(names) != len(graph.outputs) or len(set(names)) != len(names) or not all(names):
        raise OptionError(f"{len(graph.outputs)} outputs need as many names, got {names}")
    if set(names) & set(graph.inputs):
        raise OptionError(f"outputs cannot be called as the inputs {tuple(graph.inputs)}")
    away = {name: graph.unused(name) for name in names if graph.unused(name) != name}
    renamed = away | dict(zip(graph.outputs, names, strict=True))

    def new(name: str) -> str:
        return renamed.get(name, name)

    nodes = tuple(
        replace(node, inputs=tuple(map(new, node.inputs)), outputs=tuple(map(new, node.outputs)))
        for node in graph.nodes
    )
    weights = {new(name): array for name, array in graph.weights.items()}
    return replace(graph, nodes=nodes, outputs=names, weights=weights)


def _graph(
    graph: Graph, inputs: Sequence["ValueInfoProto"], outputs: Sequence["ValueInfoProto"]
) -> "GraphProto":
    from onnx import helper, numpy_helper

    size = sum(array.nbytes for array in graph.weights.values())
    if size > LARGEST:
        raise UnsupportedError(f"weights of {size / 1e9:.1f} GB exceed the 2 GB of one ONNX file")
    weights = [
        numpy_helper.from_array(_plain(array), name) for name, array in graph.weights.items()
    ]
    return helper.make_graph([*map(_node, graph.nodes)], "darter", inputs, outputs, weights)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """An array of its own: views of mapped files are np.memmap, which ONNX's helper refuses."""
    return np.array(array, array.dtype.newbyteorder("="), order="C", copy=None)


def _node(node: Node) -> "NodeProto":
    from onnx import helper

    domain, _, op = node.op.rpartition(".")
    made = helper.make_node(op, node.inputs, node.outputs, name=node.name, domain=domain)
    for name, value in node.attributes.items():
        if value is None:
            raise UnsupportedError(f"{node}: its attribute {name[:60]!r} cannot be written")
        if isinstance(value, tuple) and not value:
            continue  # an empty list has no type; leaving it out means the same
        if isinstance(value, np.ndarray):
            value = _tensor(value)
        made.attribute.append(helper.make_attribute(name, value))
    return made


def _tensor(value: NDArray[Any]) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(_plain(value))


def _value_info(name: str, shape: Shape) -> "ValueInfoProto":
    from onnx import TensorProto, helper

    sizes = [PICTURES if size is None else size for size in shape]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
