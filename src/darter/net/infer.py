"""Every shape in a graph, for a number of pictures; refuses sizes that cannot be meant."""

from collections.abc import Mapping
from math import prod

from darter.errors import ShapeError, UnsupportedError
from darter.net.graph import Graph, Node, Weights
from darter.net.ops import OPS, attributes

Dims = tuple[int, ...]
MOST_AXES, MOST_ELEMENTS = 8, 2**31 - 1  # of one tensor; a larger one is a damaged file


def infer(graph: Graph, batch: int) -> dict[str, Dims]:
    """name -> shape of every tensor, weights included, when `batch` pictures are run.

    Raises ShapeError that says which node, its operation and the shapes it was given.
    """
    shapes: dict[str, Dims] = dict(shapes_of(graph.weights))
    for name, shape in graph.inputs.items():
        shapes[name] = tuple(batch if size is None else size for size in shape)
        check_size(name, shapes[name])
    for node in graph.nodes:
        shapes.update(infer_node(node, shapes))
    return shapes


def shapes_of(weights: Weights) -> Mapping[str, Dims]:
    """Of all weights, also of those that a plan has let go (`plan.weights`)."""
    known = getattr(weights, "shapes", None)
    return {name: array.shape for name, array in weights.items()} if known is None else known


def pictures_axes(graph: Graph) -> tuple[int, ...]:
    """The axis of the pictures in each output; 0 where the graph is for one number of them."""
    few, more = infer(graph, 2), infer(graph, 3)
    pairs = [zip(few[name], more[name], strict=True) for name in graph.outputs]
    return tuple(next((i for i, (a, b) in enumerate(pair) if a != b), 0) for pair in pairs)


def infer_node(node: Node, shapes: Mapping[str, Dims]) -> dict[str, Dims]:
    """name -> shape of what one node gives, from the shapes of what it reads."""
    if node.op not in OPS:
        raise UnsupportedError(f"{node}: there is no such operation")
    inputs = [shapes[name] for name in node.inputs if name]
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
    names = OPS[node.op].inputs.split()
    least = sum(not name.endswith(("?", "*")) for name in names)
    if given < least or (given > len(names) and "*" not in names):
        raise ShapeError(f"{node}: takes {' and '.join(names)}; it has {given} inputs")


def check_size(name: str, shape: Dims) -> None:
    if len(shape) > MOST_AXES or prod(shape) > MOST_ELEMENTS or min(shape, default=0) < 0:
        raise ShapeError(f"tensor {name[:60]!r} would be {shape}; that cannot be computed")


def _text(shapes: list[Dims]) -> str:
    return ", ".join(map(str, shapes)) or "none"
