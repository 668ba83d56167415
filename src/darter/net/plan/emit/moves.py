"""What only moves values, or nothing at all."""

from dataclasses import replace
from math import prod

from darter.kernels import BLOCK, BLOCKED, FLOATS, PLAIN, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder
from darter.net.plan.storage import Value
from darter.net.plan.strides import broadcast_strides, permuting, strides_of


def reshape(build: Builder, node: Node) -> None:
    x, shape = node.inputs[0], build.shapes[node.output]
    own, axis = build.shapes[x], build.axis(node.inputs[0])
    if axis is not None and own[0] == shape[0]:
        value = build.blocked(x, axis, FLOATS)
        kept = _kept_axis(own, shape, axis)
        if kept is not None:
            layout = replace(value.layout, axis=kept)
            moved = Value(value.storage, shape, layout, value.offset, value.of_blocks)
            build.define(node.output, moved)
            return
    value = build.plain(x)
    build.define(node.output, Value(value.storage, shape, PLAIN, value.offset))


def _kept_axis(own: tuple[int, ...], shape: tuple[int, ...], axis: int) -> int | None:
    """Where the channels are after a reshape that does not mix them with pixels, or None."""
    before, after = own[1:axis], own[axis + 1 :]
    for i in range(1, len(shape)):
        if (
            shape[i] == own[axis]
            and prod(shape[1:i]) == prod(before)
            and prod(shape[i + 1 :]) == prod(after)
        ):
            return i
    return None


def transpose(build: Builder, node: Node) -> None:
    x, order = node.inputs[0], build.attributes(node)["order"]
    axis = build.axis(x)
    if axis is not None and order[0] == 0:
        rest = [i for i in order if i != axis]
        if rest == sorted(rest):  # only the channels change places, and blocks do not care
            value = build.blocked(x, axis, FLOATS)
            shape = build.shapes[node.output]
            layout = replace(value.layout, axis=order.index(axis))
            moved = Value(value.storage, shape, layout, value.offset, value.of_blocks)
            build.define(node.output, moved)
            return
    source = build.plain(x)
    build.emit(permuting(source.shape, order), [source], [build.new(node.output, PLAIN)])


def concat(build: Builder, node: Node) -> None:
    shape = build.shapes[node.output]
    axis = build.attributes(node)["axis"] % len(shape)
    if axis == 1 and len(shape) in (2, 4) and any(build.axis(name) for name in node.inputs):
        _join_channels(build, node)
        return
    y = build.new(node.output, PLAIN)
    strides, at, parts = strides_of(shape), 0, []
    values = [build.plain(name) for name in node.inputs]
    for i, value in enumerate(values):
        sizes = list(value.shape)
        parts.append((i, 0, 0, at * strides[axis], sizes, strides_of(value.shape), strides))
        at += value.shape[axis]
    build.emit(steps.move_step(parts), values, [y], "copy")


def _join_channels(build: Builder, node: Node) -> None:
    layout = build.kept(node.output)
    values = [build.blocked(name, 1, (layout.element,)) for name in node.inputs]
    if any(value.shape[1] % BLOCK for value in values[:-1]):
        build.copy_channels(values, build.new(node.output, layout))
        return
    if _lie_side_by_side(values):
        first = values[0]
        shape = build.shapes[node.output]
        build.define(
            node.output, Value(first.storage, shape, layout, first.offset, first.of_blocks)
        )
        return
    y, channel = build.new(node.output, layout), 0
    for value in values:
        part = part_of(y, channel, value.shape)
        if (value.storage, value.offset) != (part.storage, part.offset):
            build.copy_channels([value], part)
        channel += value.shape[1]


def _lie_side_by_side(values: list[Value]) -> bool:
    first, channel = values[0], 0
    for value in values:
        part = part_of(first, channel, value.shape)
        same = (value.storage, value.offset, value.of_blocks)
        if same != (part.storage, part.offset, part.of_blocks):
            return False
        channel += value.shape[1]
    return len(values) == 1 or first.storage.in_parts


def part_of(value: Value, channel: int, shape: tuple[int, ...]) -> Value:
    """The slice of a blocked value from a channel on that begins a block."""
    value.storage.in_parts = True
    before = value.layout.bytes((1, channel, *shape[2:]))
    return Value(value.storage, shape, value.layout, value.offset + before, value.of_blocks)


def split(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    axis, start = given["axis"] % len(build.shapes[node.inputs[0]]), 0
    for name, size in zip(node.outputs, given["sizes"], strict=True):
        _take(build, node.inputs[0], name, axis, start, 1)
        start += size


def slice_(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    axis = given["axis"] % len(build.shapes[node.inputs[0]])
    _take(build, node.inputs[0], node.output, axis, given["start"], given["step"])


def _take(build: Builder, x: str, y: str, axis: int, start: int, step: int) -> None:
    if axis == 1 and build.axis(x) == 1 and y:
        source, shape = build.blocked(x, 1, FLOATS), build.shapes[y]
        if start % BLOCK == 0 and step == 1 and source.storage.where == 0:
            build.define(y, part_of(source, start, shape))
        else:
            build.copy_channels([source], build.new(y, source.layout), start, step)
        return
    source, sizes = build.plain(x), list(build.shapes[y])
    strides = strides_of(source.shape)
    offset = start * strides[axis]
    steps_of = [stride * (step if i == axis else 1) for i, stride in enumerate(strides)]
    part = (0, 0, offset, 0, sizes, steps_of, strides_of(tuple(sizes)))
    build.emit(steps.move_step([part]), [source], [build.new(y, PLAIN)], "copy")


def channels(build: Builder, node: Node) -> None:
    layout = build.kept(node.output)
    values = [build.blocked(name, 1, (layout.element,)) for name in node.inputs]
    build.choose_channels(values, build.new(node.output, layout), build.attributes(node)["sources"])


def take(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    x, places = node.inputs[0], given["places"]
    axis = given["axis"] % len(build.shapes[x])
    source, shape = build.plain(x), build.shapes[node.output]
    own, strides = strides_of(source.shape), strides_of(shape)
    parts = []
    for at, first, step, count in _runs(places):
        sizes = [*shape[:axis], count, *shape[axis + 1 :]]
        steps_of = [stride * (step if i == axis else 1) for i, stride in enumerate(own)]
        parts.append((0, 0, first * own[axis], at * strides[axis], sizes, steps_of, strides))
    build.emit(steps.move_step(parts), [source], [build.new(node.output, PLAIN)], "copy")


def _runs(places: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Places as few evenly spaced runs: index of the first, its place, step, count."""
    runs, at = [], 0
    while at < len(places):
        step = places[at + 1] - places[at] if at + 1 < len(places) else 1
        count = 1
        while at + count < len(places) and places[at + count] == places[at] + step * count:
            count += 1
        runs.append((at, places[at], step, count))
        at += count
    return runs


def depth_to_space(build: Builder, node: Node) -> None:
    x, y = build.blocked(node.inputs[0]), build.new(node.output, BLOCKED)
    first = bool(build.attributes(node)["channels_first"])
    build.emit(steps.depth_to_space_step(x.array, y.array, first), [x], [y], "copy")


def expand(build: Builder, node: Node) -> None:
    source, shape = build.plain(node.inputs[0]), build.shapes[node.output]
    part = (0, 0, 0, 0, list(shape), broadcast_strides(source.shape, shape), strides_of(shape))
    build.emit(steps.move_step([part]), [source], [build.new(node.output, PLAIN)], "copy")
