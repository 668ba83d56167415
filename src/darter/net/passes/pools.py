"""Pools and paddings in their plainest form."""

from dataclasses import replace

from darter.net.graph import Graph, Node, node
from darter.net.infer import infer
from darter.net.ops import attributes
from darter.net.passes.patterns import pictures_elsewhere


def global_pool(graph: Graph) -> Graph:
    """The mean over H and W is a GlobalAveragePool, and so is a window over the whole picture."""
    shapes, elsewhere = infer(graph, 1), pictures_elsewhere(graph)
    replaced: dict[Node, list[Node]] = {}
    for each in graph.nodes:
        if elsewhere.intersection(each.inputs):
            continue
        x = shapes[each.inputs[0]]
        if each.op == "Reduce" and len(x) == 4:
            if each.attributes["function"] != "mean" or set(each.attributes["axes"]) != {2, 3}:
                continue
            if each.attributes["keep_dims"]:
                replaced[each] = [_global(each, each.output)]
            else:
                between = graph.unused(f"{each.output}.mean")
                flat = (None, x[1])
                replaced[each] = [
                    _global(each, between),
                    node("Reshape", each.name, (between,), each.output, shape=flat),
                ]
        elif each.op == "AveragePool" and _covers_all(each, x):
            replaced[each] = [_global(each, each.output)]
    return graph.changed(replaced)


def drop_idle_pools(graph: Graph) -> Graph:
    """A window of one pixel with stride 1 gives what it takes."""
    idle = {
        each: each.inputs[0]
        for each in graph.nodes
        if each.op in ("MaxPool", "AveragePool")
        and each.attributes["kernel"] == (1, 1) == each.attributes.get("strides", (1, 1))
        and not any(each.attributes.get("pads", ()))
    }
    renamed = {each.output: name for each, name in idle.items()}
    return graph.changed(dict.fromkeys(idle, ()), renamed=renamed)


def pad_into_window(graph: Graph) -> Graph:
    """Zeros around a picture become the padding of the convolution or pool that reads it.

    A MaxPool ignores its padding, so only -infinity could become its own; an AveragePool must
    count it.
    """
    replaced: dict[Node, list[Node]] = {}
    for pad in graph.nodes:
        reader = graph.only_consumer(pad.output)
        if pad.op != "Pad" or reader is None or not _takes_pad(pad, reader):
            continue
        _, _, top, left, _, _, bottom, right = pad.attributes["pads"]
        own = attributes(reader.op, reader.attributes)["pads"]
        total = tuple(a + b for a, b in zip(own, (top, left, bottom, right), strict=True))
        kernel = reader.attributes.get("kernel")
        if kernel and any(p >= k for p, k in zip(total, kernel * 2, strict=True)):
            continue
        replaced[pad] = []
        inputs = (pad.inputs[0], *reader.inputs[1:])
        counting = {"count_padding": True} if reader.op == "AveragePool" else {}
        changed = reader.with_attributes(pads=total, **counting)
        replaced[reader] = [replace(changed, inputs=inputs)]
    return graph.changed(replaced)


def border_into_depthwise(graph: Graph) -> Graph:
    """Pixels repeated around a picture become the border of the depthwise convolution behind them.

    So an antialiasing filter (BlurPool) reads its input where it is.
    """
    shapes = infer(graph, 1)
    replaced: dict[Node, list[Node]] = {}
    for pad in graph.nodes:
        conv = graph.only_consumer(pad.output)
        if pad.op != "Pad" or conv is None or conv.op != "Conv" or not _pads_pixels(pad):
            continue
        given, mode = (
            attributes(conv.op, conv.attributes),
            attributes(pad.op, pad.attributes)["mode"],
        )
        c = shapes[pad.inputs[0]][1]
        depthwise = given["group"] == c == shapes[conv.output][1]
        reads = conv.inputs[0] == pad.output and conv.inputs.count(pad.output) == 1
        if depthwise and reads and mode in ("reflect", "edge") and not any(given["pads"]):
            _, _, top, left, _, _, bottom, right = pad.attributes["pads"]
            changed = conv.with_attributes(pads=(top, left, bottom, right), border=mode)
            replaced[pad] = []
            replaced[conv] = [replace(changed, inputs=(pad.inputs[0], *conv.inputs[1:]))]
    return graph.changed(replaced)


def _pads_pixels(pad: Node) -> bool:
    """Only rows and columns, and none is cut off."""
    pads = pad.attributes["pads"]
    return len(pads) == 8 and not any(pads[i] for i in (0, 1, 4, 5)) and min(pads) >= 0


def _takes_pad(pad: Node, reader: Node) -> bool:
    given = attributes(pad.op, pad.attributes)
    if not _pads_pixels(pad):
        return False
    if given["mode"] != "constant" or reader.inputs.count(pad.output) != 1:
        return False
    if reader.op == "Conv":
        zeros = given["value"] == 0 and reader.attributes.get("border", "zeros") == "zeros"
        return reader.inputs[0] == pad.output and zeros
    if reader.op == "MaxPool":
        return given["value"] == float("-inf") and not reader.attributes.get("ceil")
    if reader.op == "AveragePool":
        own = attributes(reader.op, reader.attributes)
        counts = own["count_padding"] or not any(own["pads"])
        return counts and given["value"] == 0 and not own["ceil"]
    return False


def _global(each: Node, output: str) -> Node:
    return node("GlobalAveragePool", each.name, each.inputs, output)


def _covers_all(pool: Node, x: tuple[int, ...]) -> bool:
    given = attributes(pool.op, pool.attributes)
    return given["kernel"] == x[2:] and not any(given["pads"]) and given["dilations"] == (1, 1)
