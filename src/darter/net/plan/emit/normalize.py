"""What looks at many channels, or at all values."""

from math import prod

from darter.kernels import BLOCK, BLOCKED, PLAIN, Layout, blocks, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder
from darter.net.plan.storage import Value
from darter.net.plan.strides import strides_of


def lrn(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    x, y = build.blocked(node.inputs[0]), build.new(node.output, BLOCKED)
    numbers = (given["size"], given["alpha"], given["beta"], given["bias"])
    build.emit(steps.lrn_step(x.array, y.array, *numbers), [x], [y])


def layer_norm(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    x, factor, shift = node.inputs
    shape = build.shapes[x]
    axis = given["axis"] % len(shape)
    constants = [build.constant(build.weight(name).ravel(), BLOCKED) for name in (factor, shift)]
    if axis == len(shape) - 1 and len(shape) > 1:
        source = build.blocked(x, axis)
        target = build.new(node.output, Layout(axis))
    else:
        source, target = _as_rows(build, x, axis), _new_rows(build, node.output, axis)
    core = steps.layer_norm_step(source.array, target.array, given["epsilon"])
    build.emit(core, [source, *constants], [target])
    if target.shape != shape:
        _from_rows(build, node.output, target)


def channel_norm(build: Builder, node: Node) -> None:
    x, factor, shift = node.inputs
    constants = [build.constant(build.weight(name), BLOCKED) for name in (factor, shift)]
    source, target = build.blocked(x), build.new(node.output, BLOCKED)
    core = steps.layer_norm_step(source.array, target.array, build.attributes(node)["epsilon"])
    build.emit(core, [source, *constants], [target])


def group_norm(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    x, factor, shift = node.inputs
    constants = [build.constant(build.weight(name), BLOCKED) for name in (factor, shift)]
    source, target = build.blocked(x), build.new(node.output, BLOCKED)
    core = steps.group_norm_step(source.array, target.array, given["groups"], given["epsilon"])
    build.emit(core, [source, *constants], [target])


def softmax(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    shape = build.shapes[node.output]
    axis = given["axis"] % len(shape)
    core = steps.softmax_step(
        prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]), bool(given["log"])
    )
    build.emit(core, [build.plain(node.inputs[0])], [build.new(node.output, PLAIN)])


def reduce(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    x, name = node.inputs[0], node.output
    shape = build.shapes[x]
    axes = sorted(axis % len(shape) for axis in given["axes"])
    channels = build.axis(x)
    pixels = [i for i in range(1, len(shape)) if i != channels]
    if given["function"] == "mean" and channels and len(shape) == 4 and axes == pixels:
        _mean_of_pixels(build, node, channels)
        return
    kept = [i for i in range(len(shape)) if i not in axes]
    strides = strides_of(shape)
    core = steps.reduce_step(
        given["function"],
        [shape[i] for i in kept],
        [strides[i] for i in kept],
        [shape[i] for i in axes],
        [strides[i] for i in axes],
    )
    build.emit(core, [build.plain(x)], [build.new(name, PLAIN)], given["function"])


def _mean_of_pixels(build: Builder, node: Node, axis: int) -> None:
    x = build.blocked(node.inputs[0], axis)
    shape = build.shapes[node.output]
    y = build.new(node.output, Layout(axis if len(shape) == 4 else 1))
    n, c, h, w, *_ = x.array
    numbers = [h, w, 1, 1, 0, 0, 0, 0, 1, 1]
    pixel = (n, c, 1, 1, y.of_blocks, y.layout.element)
    build.emit(steps.pool_step(x.array, pixel, numbers, True, False), [x], [y], "mean")


def _rows(shape: tuple[int, ...], axis: int) -> tuple[int, int]:
    return prod(shape[:axis]), prod(shape[axis:])


def _as_rows(build: Builder, name: str, axis: int) -> Value:
    """A tensor as (rows, values), blocked: everything from `axis` on is one row."""
    value = build.plain(name)
    shape = _rows(value.shape, axis)
    if shape[1] % BLOCK == 0:
        return Value(value.storage, shape, BLOCKED, value.offset, blocks(shape[1]))
    result = build.temporary(shape, BLOCKED)
    build.emit(steps.to_blocked_step(result.array), [value], [result], "to blocks")
    return result


def _new_rows(build: Builder, name: str, axis: int) -> Value:
    return build.temporary(_rows(build.shapes[name], axis), BLOCKED)


def _from_rows(build: Builder, name: str, rows: Value) -> None:
    shape = build.shapes[name]
    if rows.shape[1] % BLOCK == 0:
        build.define(name, Value(rows.storage, shape, PLAIN, rows.offset))
        return
    target = build.new(name, PLAIN)
    build.emit(steps.from_blocked_step(rows.array), [rows], [target], "to plain")
