"""What chooses: one of two values, the places of the largest, which boxes stay, what is in them."""

from math import prod

from darter.kernels import PLAIN, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder
from darter.net.plan.strides import broadcast_strides


def where(build: Builder, node: Node) -> None:
    shape = build.shapes[node.output]
    strides = [broadcast_strides(build.shapes[name], shape) for name in node.inputs]
    reads = [build.plain(name) for name in node.inputs]
    build.emit(steps.select_step(list(shape), *strides), reads, [build.new(node.output, PLAIN)])


def arg(build: Builder, node: Node) -> None:
    given, shape = build.attributes(node), build.shapes[node.inputs[0]]
    axis = given["axis"] % len(shape)
    core = steps.arg_step(
        prod(shape[:axis]),
        shape[axis],
        prod(shape[axis + 1 :]),
        bool(given["least"]),
        bool(given["last"]),
    )
    build.emit(core, [build.plain(node.inputs[0])], [build.new(node.output, PLAIN)])


def top_places(build: Builder, node: Node) -> None:
    given, shape = build.attributes(node), build.shapes[node.inputs[0]]
    outer, size, inner = _around(shape, given["axis"])
    core = steps.top_places_step(outer, size, inner, int(given["count"]), bool(given["least"]))
    build.emit(core, [build.plain(node.inputs[0])], [build.new(node.output, PLAIN)])


def gather_along(build: Builder, node: Node) -> None:
    given, shape = build.attributes(node), build.shapes[node.inputs[0]]
    outer, size, inner = _around(shape, given["axis"])
    count = _around(build.shapes[node.output], given["axis"])[1]
    core = steps.gather_along_step(outer, size, inner, count)
    reads = [build.plain(name) for name in node.inputs]
    build.emit(core, reads, [build.new(node.output, PLAIN)])


def keep_boxes(build: Builder, node: Node) -> None:
    given, (pictures, classes, boxes) = build.attributes(node), build.shapes[node.output]
    core = steps.keep_boxes_step(
        pictures,
        classes,
        boxes,
        int(given["most"]),
        float(given["overlap"]),
        float(given["least"]),
        bool(given["middles"]),
    )
    reads = [build.plain(name) for name in node.inputs]
    build.emit(core, reads, [build.new(node.output, PLAIN)])


def align_regions(build: Builder, node: Node) -> None:
    given, x = build.attributes(node), build.blocked(node.inputs[0])
    rows, columns = given["bins"]
    core = steps.align_regions_step(
        x.array,
        build.shapes[node.inputs[1]][1],
        rows,
        columns,
        int(given["samples"]),
        float(given["scale"]),
        bool(given["half_pixel"]),
        bool(given["maximum"]),
    )
    build.emit(core, [x, build.plain(node.inputs[1])], [build.new(node.output, PLAIN)])


def _around(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """(numbers before the axis, along it, behind it)."""
    axis %= len(shape)
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
