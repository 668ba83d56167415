"""What passes ask about a node when they look for a pattern."""

from darter.net.graph import Graph, Node
from darter.net.infer import infer
from darter.net.ops import Activation


def pictures_elsewhere(graph: Graph) -> frozenset[str]:
    """Tensors whose pictures lie on another axis than the first; axis 1 is not channels there."""
    if not any(_moves_pictures(each) for each in graph.nodes):
        return frozenset()
    one, two = infer(graph, 1), infer(graph, 2)
    return frozenset(
        name for name in one if one[name] != two[name] and one[name][:1] == two[name][:1]
    )


def _moves_pictures(each: Node) -> bool:
    if each.op == "Transpose":
        return each.attributes["order"][0] != 0
    return each.op == "Reshape" and each.attributes["shape"][:1] != (None,)


def activation_of(node: Node | None) -> Activation | None:
    """The function, if the node is nothing but an activation."""
    if node is None or node.op != "Activation":
        return None
    return node.attributes["activation"]


def is_kind(node: Node | None, kind: str) -> bool:
    activation = activation_of(node)
    return activation is not None and activation.kind == kind


def is_eltwise(node: Node | None, function: str) -> bool:
    """Whether the node is that arithmetic and nothing after it."""
    return (
        node is not None
        and node.op == "Eltwise"
        and node.attributes["function"] == function
        and node.attributes.get("activation") is None
    )


def other_input(node: Node, name: str) -> str:
    """Of two inputs, the one that is not `name` (`name` itself, if it is both)."""
    left, right = node.inputs
    return right if left == name else left


def scalar(graph: Graph, node: Node | None, function: str) -> float | None:
    """The constant number c where a node is x + c, x * c (either order) or x - c, x / c."""
    if node is None or not is_eltwise(node, function):
        return None
    places = (1, 0) if function in ("add", "mul") else (1,)
    for place in places:
        array = graph.weight(node.inputs[place])
        if array is not None and array.size == 1 and array.ndim <= 4:
            return float(array.ravel()[0])
    return None


def variable(graph: Graph, node: Node) -> str:
    """The input of x + c or x * c that is no constant."""
    left, right = node.inputs
    return right if left in graph.weights else left
