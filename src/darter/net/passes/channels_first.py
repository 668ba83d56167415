"""Parts of a net that turn to channels last and back (ConvNeXt) stay channels first."""

from collections.abc import Mapping
from dataclasses import replace

from darter.net.graph import Graph, Node, constant, node
from darter.net.infer import Dims, infer
from darter.net.ops import attributes

TO_LAST = (0, 2, 3, 1)


def channels_first(graph: Graph) -> Graph:
    """What reads a Transpose to channels last is computed before it, and so is what reads that.

    A layer normalization over channels becomes a ChannelNorm, a fully connected layer a 1×1
    convolution. The transposes meet the ones back and are dropped by `merge_moves`.
    """
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    weights: dict = {}
    turned: dict[str, str] = {}  # tensor of channels last -> the same with channels first
    for each in graph.nodes:
        if each.op == "Transpose" and each.attributes["order"] == TO_LAST:
            turned[each.output] = each.inputs[0]
        elif not turned.keys().isdisjoint(each.inputs):
            before = graph.unused(f"{each.output}.first")
            moved = _moved(graph, each, before, turned, shapes, weights)
            if moved is not None:
                turn = node("Transpose", f"{each.name}.last", (before,), each.output, order=TO_LAST)
                replaced[each] = [moved, turn]
                turned[each.output] = before
    return graph.changed(replaced, weights)


def _moved(
    graph: Graph,
    each: Node,
    output: str,
    turned: Mapping[str, str],
    shapes: Mapping[str, Dims],
    weights: dict,
) -> Node | None:
    """The node as it works on channels first; None where it does not work along pixels."""
    x = turned.get(each.inputs[0])
    if x is None or each.op == "Eltwise":
        return _moved_sum(graph, each, output, turned, weights)
    channels = shapes[each.inputs[0]][3]
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
    return None


def _moved_sum(
    graph: Graph, each: Node, output: str, turned: Mapping[str, str], weights: dict
) -> Node | None:
    """Arithmetic on two such tensors, or on one and a constant per channel."""
    if each.op != "Eltwise":
        return None
    inputs: list[str] = []
    for place, name in enumerate(each.inputs):
        x, array = turned.get(name), graph.weight(name)
        if x is not None:
            inputs.append(x)
        elif array is not None and array.ndim <= 1:
            inputs.append(graph.unused(f"{each.output}.constant{place}"))
            weights[inputs[-1]] = constant(array.reshape(-1, 1, 1))
        else:
            return None
    return replace(each, inputs=tuple(inputs), outputs=(output,))
