"""What chooses: one of two values, or the place of the largest."""

from math import prod

from darter.kernels import PLAIN, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder, strides_of


def where(build: Builder, node: Node) -> None:
    shape = build.shapes[node.output]
    strides = []
    for name in node.inputs:
        own = (1,) * (len(shape) - len(build.shapes[name])) + build.shapes[name]
        pairs = zip(own, strides_of(own), strict=True)
        strides.append([0 if size == 1 else stride for size, stride in pairs])
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
