"""Every shape in a graph, for a number of pictures; refuses sizes that cannot be meant."""

from collections.abc import Mapping
from functools import cache
from math import inf, prod
from types import MappingProxyType

from darter.errors import ShapeError, UnsupportedError
from darter.net.graph import Graph, Node, Weights
from darter.net.ops import OPS, attributes

Dims = tuple[int, ...]
MOST_AXES, MOST_ELEMENTS = 8, 2**31 - 1  # of one tensor; a larger one is a damaged file


def infer(graph: Graph, batch: int) -> Mapping[str, Dims]:
    """name -> shape of every tensor, weights included, when `batch` pictures are run.

    Raises ShapeError that says which node, its operation and the shapes it was given.
    """
    known = graph.inferred.get(batch)
    if known is not None:
        return known
    shapes: dict[str, Dims] = dict(shapes_of(graph.weights))
    for name, shape in graph.inputs.items():
        shapes[name] = tuple(batch if size is None else size for size in shape)
        check_size(name, shapes[name])
    for node in graph.nodes:
        shapes.update(infer_node(node, shapes))
    graph.inferred[batch] = MappingProxyType(shapes)
    return graph.inferred[batch]


def shapes_of(weights: Weights) -> Mapping[str, Dims]:
    """Of all weights, also of those that a plan has let go (`plan.weights`)."""
    known = getattr(weights, "shapes", None)
    return {name: array.shape for name, array in weights.items()} if known is None else known


def pictures_axes(graph: Graph) -> tuple[int, ...]:
    """The axis of the pictures in each output; 0 where the graph is for one number of them."""
    few, more = infer(graph, 2), infer(graph, 3)
    pairs = [zip(few[name], more[name], strict=True) for name in graph.outputs]
    return tuple(next((i for i, (a, b) in enumerate(pair) if a != b), 0) for pair in pairs)


def multiply_adds(graph: Graph) -> int:
    """For one picture, by the plain way of each operation; about one per number elsewhere."""
    shapes = infer(graph, 1)
    return sum(
        prod(shapes[name]) * _per_output(node, shapes)
        for node in graph.nodes
        for name in node.outputs
        if name
    )


def _per_output(node: Node, shapes: Mapping[str, Dims]) -> int:
    """Multiply-adds for one number of what a node gives, about."""
    if node.op in (
        "Conv",
        "BinaryConv",
        "BinaryConvBits",
        "IntegerConv",
        "ConvTranspose",
        "Gemm",
        "Recurrent",
    ):
        return prod(shapes[node.inputs[1]][1:])
    if node.op == "MatMul":
        return shapes[node.inputs[0]][-1]
    given, taken = attributes(node.op, node.attributes), shapes.get(node.inputs[0], ())
    if "kernel" in given:
        return prod(given["kernel"])
    made = max(1, prod(shapes[node.outputs[0]]))
    return max(int(given.get("size", 1)) if node.op == "LRN" else 1, prod(taken) // made)


def infer_node(node: Node, shapes: Mapping[str, Dims]) -> dict[str, Dims]:
    """name -> shape of what one node gives, from the shapes of what it reads.

    A node remembers the answers: every pass asks again, mostly for nodes that it left alone.
    """
    given = tuple([shapes[name] for name in node.inputs if name])
    known = node.inferred.get(given)
    if known is None:
        known = node.inferred[given] = _inferred(node, [*given])
    return known


def _inferred(node: Node, inputs: list[Dims]) -> dict[str, Dims]:
    if node.op not in OPS:
        raise UnsupportedError(f"{node}: there is no such operation")
    _check_count(node, len(inputs))
    try:
        outputs = OPS[node.op].shape(attributes(node.op, node.attributes), inputs)
    except ShapeError as error:
        raise ShapeError(f"{node}: {error}; its inputs are {_text(inputs)}") from None
    named = dict(zip(node.outputs, outputs, strict=True))
    for name, shape in named.items():
        check_size(name, shape)
    return named


def _check_count(node: Node, given: int) -> None:
    least, most = _counts(node.op)
    if not least <= given <= most:
        names = " and ".join(OPS[node.op].inputs.split())
        raise ShapeError(f"{node}: takes {names}; it has {given} inputs")


@cache
def _counts(op: str) -> tuple[int, float]:
    """The least and the most inputs of an operation."""
    names = OPS[op].inputs.split()
    least = sum(not name.endswith(("?", "*")) for name in names)
    return least, inf if "*" in names else len(names)


def check_size(name: str, shape: Dims) -> None:
    if len(shape) > MOST_AXES or prod(shape) > MOST_ELEMENTS or min(shape, default=0) < 0:
        raise ShapeError(f"tensor {name[:60]!r} would be {shape}; that cannot be computed")


def _text(shapes: list[Dims]) -> str:
    return ", ".join(map(str, shapes)) or "none"
