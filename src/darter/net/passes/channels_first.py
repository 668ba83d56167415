"""Parts of a net that turn to channels last and back (ConvNeXt) stay channels first."""

from collections.abc import Mapping
from dataclasses import replace

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import Dims, infer
from darter.net.ops import attributes

TO_LAST = (0, 2, 3, 1)


def channels_first(graph: Graph) -> Graph:
    """What reads a Transpose to channels last is computed before it; repeated to the end.

    A layer normalization over channels becomes a ChannelNorm, a fully connected layer a 1×1
    convolution. The transposes meet the ones back and are dropped by `merge_moves`.
    """
    changed = True
    while changed:
        graph, changed = _push_once(graph)
    return graph


def _push_once(graph: Graph) -> tuple[Graph, bool]:
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    weights: dict = {}
    touched: set[str] = set()
    for each in graph.nodes:
        if touched.intersection(each.inputs):
            continue
        before = graph.unused(f"{each.output}.first")
        moved = _moved(graph, each, before, shapes, weights)
        if moved is not None:
            turn = node("Transpose", f"{each.name}.last", (before,), each.output, order=TO_LAST)
            replaced[each] = [moved, turn]
            touched.add(each.output)
    return graph.changed(replaced, weights), bool(replaced)


def _moved(
    graph: Graph, each: Node, output: str, shapes: Mapping[str, Dims], weights: dict
) -> Node | None:
    """The node as it works on channels first; None where it does not follow a Transpose."""
    x = _source(graph, each.inputs[0])
    if x is None:
        return _moved_sum(graph, each, output, shapes, weights)
    channels = shapes[x][1]
    if each.op == "LayerNorm" and attributes(each.op, each.attributes)["axis"] in (3, -1):
        epsilon = attributes(each.op, each.attributes)["epsilon"]
        return node("ChannelNorm", each.name, (x, *each.inputs[1:]), output, epsilon=epsilon)
    if each.op == "Gemm" and len(each.inputs) == 3:
        name = graph.unused(f"{each.output}.filters")
        weights[name] = graph.weights[each.inputs[1]].reshape(-1, channels, 1, 1)
        activation = each.attributes.get("activation")
        inputs = (x, name, each.inputs[2])
        return node("Conv", each.name, inputs, output, activation=activation)
    if each.op == "Activation":
        return replace(each, inputs=(x,), outputs=(output,))
    return _moved_sum(graph, each, output, shapes, weights)


def _moved_sum(
    graph: Graph, each: Node, output: str, shapes: Mapping[str, Dims], weights: dict
) -> Node | None:
    """Arithmetic on two such tensors, or on one and a constant per channel."""
    if each.op != "Eltwise":
        return None
    inputs: list[str] = []
    for place, name in enumerate(each.inputs):
        x, array = _source(graph, name), graph.weight(name)
        if x is not None:
            inputs.append(x)
        elif array is not None and array.ndim <= 1:
            inputs.append(graph.unused(f"{each.output}.constant{place}"))
            weights[inputs[-1]] = constant(array.reshape(-1, 1, 1))
        else:
            return None
    if all(name in graph.weights for name in each.inputs):
        return None
    return replace(each, inputs=tuple(inputs), outputs=(output,))


def _source(graph: Graph, name: str) -> str | None:
    """The tensor that a Transpose to channels last reads."""
    turn = graph.producer(name)
    found = turn is not None and turn.op == "Transpose" and turn.attributes["order"] == TO_LAST
    return turn.inputs[0] if found and turn is not None else None
