"""What treats every value on its own."""

import numpy as np

from darter.kernels import (
    BLOCK,
    BLOCKED,
    FLOATS,
    NO_ACTIVATION,
    PLAIN,
    Activated,
    Array,
    steps,
)
from darter.net.graph import Node
from darter.net.plan.builder import Builder, named
from darter.net.plan.storage import Value
from darter.net.plan.strides import broadcast_strides, strides_of

BLOCKED_FUNCTIONS = ("add", "sub", "mul", "div", "min", "max", "prelu")


def eltwise(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    _binary(build, node, given["function"], named(given["activation"]))


def prelu(build: Builder, node: Node) -> None:
    _binary(build, node, "prelu", NO_ACTIVATION)


def activation(build: Builder, node: Node) -> None:
    function = named(build.attributes(node)["activation"])
    x, axis = node.inputs[0], build.axis(node.inputs[0])
    if axis is None:
        shape = build.shapes[x]
        zero = build.constant(np.zeros(BLOCK))
        core = steps.broadcast_step(
            "add", list(shape), strides_of(shape), [0] * len(shape), function
        )
        build.emit(core, [build.plain(x), zero], [build.new(node.output, PLAIN)], function[0].name)
        return
    source = build.blocked(x, axis, FLOATS)
    target = build.in_place(node.output, source, build.kept(node.output, axis))
    core = steps.activation_step(source.array, target.array, function)
    build.emit(core, [source], [target], function[0].name)


def scale(build: Builder, node: Node) -> None:
    x, factor, shift = node.inputs
    source = build.blocked(x, 1, FLOATS)
    constants = [build.constant(build.weight(name), BLOCKED) for name in (factor, shift)]
    target = build.in_place(node.output, source, build.kept(node.output))
    function = named(build.attributes(node)["activation"])
    core = steps.scale_step(source.array, target.array, function)
    build.emit(core, [source, *constants], [target])


def _binary(build: Builder, node: Node, function: str, after: Activated) -> None:
    shape = build.shapes[node.output]
    axis = next((a for a in map(build.axis, node.inputs) if a is not None), None)
    operands: list[Value | None] = [None, None]
    full = [name for name in node.inputs if build.shapes[name] == shape]
    if axis is not None and axis < len(shape) and full and function in BLOCKED_FUNCTIONS:
        operands = [_operand(build, name, shape, axis) for name in node.inputs]
    a, b = operands
    if a is None or b is None or axis is None:
        _plain(build, node, function, after)
        return
    reused = a if node.inputs[0] == full[0] else b
    target = build.in_place(node.output, reused, build.kept(node.output, axis))
    core = steps.eltwise_step(function, _told(a), _told(b), target.array, after)
    build.emit(core, [a, b], [target], function)


def _told(value: Value) -> Array:
    """The core's description; constants, which are for all images, have 0 of them."""
    n, c, h, w, of_blocks, element = value.array
    return (n if value.storage.tensors else 0, c, h, w, of_blocks, element)


def _operand(build: Builder, name: str, shape: tuple[int, ...], axis: int) -> Value | None:
    """An operand whose channels lie on `axis` of the result; None where blocks cannot hold it."""
    own = build.shapes[name]
    if name in build.graph.weights:
        own = (1,) * (len(shape) - len(own)) + own
        if any(size > 1 for i, size in enumerate(own) if i != axis):
            return None
        return build.constant(np.broadcast_to(build.weight(name).ravel(), (shape[axis],)), BLOCKED)
    if own == shape:
        return build.blocked(name, axis, FLOATS)
    per_channel = len(own) == len(shape) and own[0] == shape[0] and own[axis] == shape[axis]
    if per_channel and all(own[i] == 1 for i in range(1, len(own)) if i != axis):
        return build.blocked(name, axis, FLOATS)
    return None


def _plain(build: Builder, node: Node, function: str, after: Activated) -> None:
    shape = build.shapes[node.output]
    strides = [broadcast_strides(build.shapes[name], shape) for name in node.inputs]
    reads = [build.plain(name) for name in node.inputs]
    a, b = strides
    core = steps.broadcast_step(function, list(shape), a, b, after)
    build.emit(core, reads, [build.new(node.output, PLAIN)], function)
