"""ONNX message -> Graph, one node for one node, with ONNX's own operation names."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Graph, in_order
from darter.net.onnx.functions import DOMAINS, written_out
from darter.net.onnx.tensors import to_array

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto

OLDEST_OPSET = 8
NO_VALUES: Mapping[int, memoryview] = MappingProxyType({})


def read_graph(
    model: "ModelProto", folder: Path, raw: Mapping[int, memoryview] = NO_VALUES
) -> Graph:
    """The graph as the file has it. Inputs keep no shapes: `translate` is told the picture's.

    folder: where external weights lie.   raw: values that are not in the message, by number of
    the initializer.
    Raises ModelFileError for a damaged graph, UnsupportedError for what darter does not read.
    """
    opset = _opset(model)
    graph = model.graph
    if graph.sparse_initializer:
        raise UnsupportedError("sparse weights are not supported")
    weights = {
        tensor.name: to_array(tensor, folder, raw.get(number))
        for number, tensor in enumerate(graph.initializer)
    }
    inputs = {entry.name: () for entry in graph.input if entry.name not in weights}
    outputs = tuple(entry.name for entry in graph.output)
    if not all(outputs):
        raise ModelFileError("an output of the graph has no name")
    nodes = tuple(written_out(model, lambda entry: _value(entry, folder)))
    _check_names([*weights, *inputs, *(name for n in nodes for name in n.outputs if name)])
    ordered = in_order(nodes, {*weights, *inputs}, outputs)
    return Graph(ordered, inputs, outputs, weights, opset)


def _opset(model: "ModelProto") -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    if not versions:
        raise ModelFileError("does not say which version of ONNX's operations it uses")
    if versions[0] < OLDEST_OPSET:
        raise UnsupportedError(
            f"uses ONNX operations of version {versions[0]}; darter reads {OLDEST_OPSET} and newer"
        )
    return versions[0]


def _value(entry: "AttributeProto", folder: Path) -> Any:
    """A plain value; None for kinds that no operation of a classifier needs (nested graphs)."""
    kind = entry.type
    if kind == entry.FLOAT:
        return float(entry.f)
    if kind == entry.INT:
        return int(entry.i)
    if kind == entry.STRING:
        return entry.s.decode(errors="replace")
    if kind == entry.TENSOR:
        return to_array(entry.t, folder)
    if kind == entry.FLOATS:
        return tuple(entry.floats)
    if kind == entry.INTS:
        return tuple(entry.ints)
    if kind == entry.STRINGS:
        return tuple(each.decode(errors="replace") for each in entry.strings)
    return None


def _check_names(names: list[str]) -> None:
    """Every tensor is made once; ONNX asks for it, and all that follows relies on it."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelFileError(f"tensor {name[:60]!r} is made twice")
        seen.add(name)
