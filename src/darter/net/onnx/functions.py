"""Functions that a file defines, written out where they are called."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto

MOST_NODES = 200_000  # of all functions written out; a few lines can ask for any number
DEEPEST = 32  # functions within functions
DOMAINS = ("", "ai.onnx")
LONGEST = 4096  # letters of a call's name, together with those around it
Value = Callable[["AttributeProto"], Any]  # an attribute as a plain value
Key = tuple[str, str]


@dataclass(frozen=True)
class Scope:
    """Where nodes are written out: names of tensors from outside, attributes of the call."""

    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0

    def tensor(self, name: str) -> str:
        return self.names.get(name, f"{self.prefix}{name}" if name else "")


def written_out(model: "ModelProto", value: Value) -> list[Node]:
    """The nodes of the graph, those of functions in place of their calls.

    value: reads an attribute. Raises ModelFileError where functions call themselves or come to too
    many nodes, UnsupportedError where one is written for other operations than the graph.
    """
    versions = {entry.domain: entry.version for entry in model.opset_import}
    known = {(f.domain, f.name): f for f in model.functions}
    for function in known.values():
        _check_versions(function, versions)
    out: list[Node] = []
    _write(model.graph.node, Scope(), known, value, out)
    return out


def nodes_of(model: "ModelProto") -> list[Node]:
    """The same nodes without their attributes."""
    return written_out(model, lambda entry: None)


def _write(
    nodes: Iterable["NodeProto"],
    scope: Scope,
    known: Mapping[Key, "FunctionProto"],
    value: Value,
    out: list[Node],
) -> None:
    for number, proto in enumerate(nodes):
        node = _node(proto, number, scope, value)
        function = known.get((proto.domain, proto.op_type))
        if function is None:
            out.append(node)
        else:
            inner = _scope_of(function, node, scope, value)
            _write(function.node, inner, known, value, out)
            out.extend(_passed_through(function, node))
        if len(out) > MOST_NODES and known:
            raise ModelFileError(f"its functions come to more than {MOST_NODES} nodes")


def _node(proto: "NodeProto", number: int, scope: Scope, value: Value) -> Node:
    op = proto.op_type if proto.domain in DOMAINS else f"{proto.domain}.{proto.op_type}"
    name = scope.prefix + (proto.name or f"{proto.op_type}_{number}")
    attributes = {}
    for entry in proto.attribute:
        if not entry.ref_attr_name:
            attributes[entry.name] = value(entry)
        elif entry.ref_attr_name in scope.attributes:
            attributes[entry.name] = scope.attributes[entry.ref_attr_name]
    if not proto.output:
        raise ModelFileError(f"{op} {name!r} has no output")
    inputs, outputs = (tuple(map(scope.tensor, names)) for names in (proto.input, proto.output))
    return Node(op, name, inputs, outputs, MappingProxyType(attributes))


def _scope_of(function: "FunctionProto", call: Node, scope: Scope, value: Value) -> Scope:
    if scope.depth >= DEEPEST:
        raise ModelFileError(f"{call}: functions within functions, more than {DEEPEST} deep")
    if len(call.name) > LONGEST:
        raise ModelFileError(f"{call}: a call's name begins every name within, and is too long")
    if len(call.inputs) > len(function.input) or len(call.outputs) > len(function.output):
        raise ModelFileError(f"{call}: has more inputs or outputs than its function")
    names = dict.fromkeys(function.input, "") | dict(zip(function.input, call.inputs, strict=False))
    for name, outer in zip(function.output, call.outputs, strict=False):
        if outer and name not in function.input:
            names.setdefault(name, outer)
    defaults = {entry.name: value(entry) for entry in function.attribute_proto}
    return Scope(f"{call.name}/", names, {**defaults, **call.attributes}, scope.depth + 1)


def _passed_through(function: "FunctionProto", call: Node) -> list[Node]:
    """Outputs that are inputs of the function, or its same tensor twice, by a node of their own."""
    inside = dict(zip(function.input, call.inputs, strict=False))
    made: list[Node] = []
    for number, (name, outer) in enumerate(zip(function.output, call.outputs, strict=False)):
        if outer and name in inside:  # an input, or an output that has a name already
            identity = Node("Identity", f"{call.name}/output_{number}", (inside[name],), (outer,))
            made.append(identity)
        elif outer:
            inside[name] = outer
    return made


def _check_versions(function: "FunctionProto", versions: Mapping[str, int]) -> None:
    for entry in function.opset_import:
        standard = entry.domain in DOMAINS
        if standard and entry.version != versions.get(entry.domain, entry.version):
            raise UnsupportedError(
                f"function {function.name[:60]!r} uses operations of version {entry.version}, the "
                f"graph of version {versions[entry.domain]}"
            )
