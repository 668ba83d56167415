"""What the ends of detectors do: the largest values, values at places, boxes without doubles, and
what is within boxes."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Graph, Node
from darter.net.shapes import check_axis
from darter.net.translate.attributes import integer, number, text
from darter.net.translate.context import BATCHES, Translation

MOST_SAMPLES = 64  # of a bin along each axis
MOST_PLACES = 1 << 24  # whole numbers that float32 tells apart
KEEP = "KeepBoxes"


def top_k(net: Translation, source: Node) -> None:
    """The k largest values of an axis and their places, sorted."""
    x, axis = source.inputs[0], _axis(net, source, -1)
    count = net.constant(source, 1)
    if count is None or count.size != 1:
        raise ModelFileError("k must be one number")
    if not integer(source, "sorted", 1):
        raise UnsupportedError("an order of its own choice is not supported (sorted = 0)")
    values, places = (*source.outputs, "")[:2]
    made = places or net.between(source, "places")
    least = not integer(source, "largest", 1)
    net.emit("TopPlaces", source, (x,), made, axis=axis, count=int(count.ravel()[0]), least=least)
    net.whole.add(made)
    if values:
        net.emit("GatherAlong", source, (x, made), values, axis=axis)


def gather_elements(net: Translation, source: Node) -> None:
    """Of each line along an axis the values at the places that the second input tells."""
    axis = _axis(net, source, 0)
    net.emit("GatherAlong", source, source.inputs, source.output, axis=axis)
    if source.inputs[0] in net.whole:
        net.whole.add(source.output)


def _axis(net: Translation, source: Node, default: int) -> int:
    dims = net.dims(source.inputs[0])[0]
    axis = check_axis(integer(source, "axis", default), dims)
    if dims[axis] > MOST_PLACES:
        raise UnsupportedError(f"more than {MOST_PLACES} places along an axis")
    return axis


def keep_boxes(net: Translation, source: Node) -> None:
    """1 for each box that stays, (N, classes, boxes); see `with_masks`."""

    def constant(number: int, default: float) -> float:
        value = net.constant(source, number)
        return default if value is None or not value.size else float(value.ravel()[0])

    net.emit(
        "KeepBoxes",
        source,
        source.inputs[:2],
        source.output,
        most=int(min(max(constant(2, 0), 0), MOST_PLACES)),
        overlap=constant(3, 0.0),
        least=constant(4, float(np.finfo(np.float32).min)),
        middles=bool(integer(source, "center_point_box", 0)),
    )


def with_masks(graph: Graph) -> Graph:
    """The graph with NonMaxSuppression told as a mask where it is made one.

    Its list of boxes has as many rows as there are boxes left, which no plan can know. Where the
    file writes ones at its places into zeros of the scores' shape, as darter's detectors do, the
    mask is all that is used, and its size is known: NonMaxSuppression and ScatterND become one
    node, `KEEP`. Other uses stay as they are, and are refused.
    """
    if not any(each.op == "NonMaxSuppression" for each in graph.nodes):
        return graph
    makers = {name: each for each in graph.nodes for name in each.outputs}
    readers: dict[str, list[Node]] = defaultdict(list)
    for each in graph.nodes:
        for name in each.inputs:
            readers[name].append(each)
    nodes = list(graph.nodes)
    for source in graph.nodes:
        if source.op != "NonMaxSuppression" or source.output in graph.outputs:
            continue
        scatters = [each for each in readers[source.output] if each.op == "ScatterND"]
        others = [each for each in readers[source.output] if each.op != "ScatterND"]
        if len(scatters) != 1 or any(each.op != "Shape" for each in others):
            continue
        (scatter,) = scatters
        ones = makers.get(scatter.inputs[2])
        if _is_zero(graph, makers, scatter.inputs[0], source.inputs[1]) and _is_one(graph, ones):
            dropped = {source, *others, ones}
            made = replace(source, op=KEEP, outputs=scatter.outputs)
            nodes = [made if each is scatter else each for each in nodes if each not in dropped]
    return replace(graph, nodes=tuple(nodes))


def _is_zero(graph: Graph, makers: dict[str, Node], name: str, scores: str) -> bool:
    """Whether a tensor is the scores times 0."""
    made = makers.get(name)
    if made is None or made.op != "Mul" or scores not in made.inputs:
        return False
    return any(not np.any(graph.weights[n]) for n in made.inputs if n in graph.weights)


def _is_one(graph: Graph, made: Node | None) -> bool:
    """Whether a node gives nothing but ones."""
    if made is None or made.op != "Expand" or made.inputs[0] not in graph.weights:
        return False
    return bool(np.all(graph.weights[made.inputs[0]] == 1))


def align_regions(net: Translation, source: Node) -> None:
    """RoiAlign of one box of each picture."""
    boxes, made = net.between(source, "boxes"), net.between(source, "regions")
    net.emit("Reshape", source, source.inputs[1:2], boxes, shape=(None, 1, 4))
    align_regions_apart(net, source, boxes, made)
    net.emit("Reshape", source, (made,), source.output, shape=(None, *net.shape(made)[2:]))


def align_regions_apart(net: Translation, source: Node, boxes: str, output: str) -> None:
    """RoiAlign whose boxes are (N, R, 4) here; in the file they lie one below the other, those of
    picture 0 first."""
    shapes = net.dims(boxes)
    if any(len(dims) != 3 or dims[2] != 4 for dims in shapes):
        raise UnsupportedError("boxes must be (pictures, boxes, 4) before they are (rows, 4)")
    owners = net.values.get(source.inputs[2])
    if owners is None or not all(
        np.array_equal(each.ravel(), np.repeat(np.arange(batch), dims[1]))
        for each, batch, dims in zip(owners, BATCHES, shapes, strict=True)
    ):
        raise UnsupportedError("boxes must be as many of each picture, in the pictures' order")
    usual = "half_pixel" if net.opset >= 16 else "output_half_pixel"
    samples = integer(source, "sampling_ratio", 0)
    if not 0 <= samples <= MOST_SAMPLES:
        raise UnsupportedError(f"more than {MOST_SAMPLES} samples of a bin along each axis")
    net.emit(
        "AlignRegions",
        source,
        (source.inputs[0], boxes),
        output,
        bins=(integer(source, "output_height", 1), integer(source, "output_width", 1)),
        scale=number(source, "spatial_scale", 1.0),
        samples=samples,
        half_pixel=text(source, "coordinate_transformation_mode", usual) == "half_pixel",
        maximum=text(source, "mode", "avg") == "max",
    )
