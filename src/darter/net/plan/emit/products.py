"""Convolutions and matrix products."""

from math import prod

import numpy as np

from darter.conv import ConvSpec
from darter.kernels import (
    FLOATS,
    NO_ACTIVATION,
    PLAIN,
    Element,
    Layout,
    Precision,
    steps,
)
from darter.net.graph import Node
from darter.net.plan.algorithm import border_algorithm, spec_of
from darter.net.plan.builder import Builder, named
from darter.net.plan.storage import Value
from darter.net.plan.strides import broadcast_strides
from darter.net.shapes import broadcast


def conv(build: Builder, node: Node) -> None:
    x, w, b, *residual = node.inputs
    spec = spec_of(node, build.shapes)
    if spec.x[2:] == spec.w[2:] == (1, 1) and spec.groups == 1 and not any(spec.padding):
        _fully_connected(build, node, (w, b), build.blocked(x), residual)
    else:
        _convolution(build, node, spec, (w, b), x, 1, residual)


def gemm(build: Builder, node: Node) -> None:
    """x (N, ..., C): a 1x1 convolution whose channels are the last axis."""
    x, w, b, *residual = node.inputs
    shape, (k, c) = build.shapes[x], build.shapes[w]
    pixels = prod(shape[1:-1])
    if pixels == 1:
        _fully_connected(build, node, (w, b), build.blocked(x, len(shape) - 1), residual)
        return
    spec = ConvSpec((shape[0], c, 1, pixels), (k, c, 1, 1))
    _convolution(build, node, spec, (w, b), x, len(shape) - 1, residual)


def matmul(build: Builder, node: Node) -> None:
    a, b = node.inputs
    a_shape, b_shape = build.shapes[a], build.shapes[b]
    (m, k), n = a_shape[-2:], b_shape[-1]
    outer = broadcast(a_shape[:-2], b_shape[:-2])
    offsets = _offsets(outer, a_shape), _offsets(outer, b_shape)
    core = steps.matmul_step(*offsets, m, n, k)
    reads = [build.plain(a), build.plain(b)]
    count = len(offsets[0]) * m * n * k
    build.emit(core, reads, [build.new(node.output, PLAIN)], "gemm", count)


def recurrent(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    gates, *names = node.inputs
    r, b = (build.weight(name) for name in names)
    layer = build.packed.recurrent(tuple(names), given["kind"], r, b)
    n, count, _ = build.shapes[gates]
    core = steps.recurrent_step(layer, n, count, bool(given["backward"]))
    target = build.new(node.output, PLAIN)
    build.emit(core, [build.plain(gates)], [target], given["kind"], n * count * r.size)


def _offsets(outer: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """Where the matrices of an operand begin, for every matrix of the result."""
    strides = broadcast_strides(shape, (*outer, *shape[-2:]))[:-2]
    grid = np.indices(outer).reshape(len(outer), prod(outer))
    return [int(offset) for offset in np.asarray(strides, np.int64) @ grid]


def _convolution(
    build: Builder,
    node: Node,
    spec: ConvSpec,
    names: tuple[str, str],
    x: str,
    axis: int,
    residual: list[str],
) -> None:
    given = build.attributes(node)
    activation, after = named(given["activation"]), given["activation_after_residual"]
    added = residual[0] if residual and (after or activation == NO_ACTIVATION) else None
    algorithm = border_algorithm(node) or build.packed.algorithm(spec, build.options)
    layer = build.packed.convolution(names, algorithm, spec, build.weight, activation)
    layout = build.kept(node.output, axis)
    if not layer.takes(Element.float32, layout.element):
        layout = Layout(axis)
    if layer.plain_input:
        source = build.channels_first(x, axis)
    else:
        accepts = [e for e in (layout.element, *FLOATS) if layer.takes(e, layout.element)]
        source = build.blocked(x, axis, tuple(accepts))
    reads = [source]
    if layer.plain_output:
        shape = build.shapes[node.output]
        pixels = (size for i, size in enumerate(shape) if i not in (0, axis))
        target = build.temporary((shape[0], shape[axis], *pixels), PLAIN)
        reads += [build.channels_first(added, axis)] if added else []
    elif added:
        reads.append(build.whole(build.blocked(added, axis, (layout.element,))))
        if reads[1].storage is source.storage:  # x is read again while y is written
            target = build.temporary(build.shapes[node.output], layout)
        else:
            target = build.in_place(node.output, reads[1], layout)
        if not target.whole:  # what is added is read as y is written, from the same place in it
            target = build.temporary(target.shape, layout)
        build.define(node.output, target)
    else:
        target = build.new(node.output, layout)
    layer = layer.placed(spec.x[0], _slice_blocks(source), _slice_blocks(target))
    elements = source.layout.element, target.layout.element
    core = steps.convolution_step(layer, added is not None, *elements)
    build.emit(core, reads, [target], algorithm, spec.multiply_adds)
    if layer.plain_output:
        build.define_channels_first(node.output, target, axis)
    if residual and not added:
        target = build.blocked(node.output, axis, FLOATS)
        _add(build, target, build.blocked(residual[0], axis, FLOATS))
        build.redefine(node.output, target)


def _fully_connected(
    build: Builder, node: Node, names: tuple[str, str], x: Value, residual: list[str]
) -> None:
    given = build.attributes(node)
    activation, after = named(given["activation"]), given["activation_after_residual"]
    layer = build.packed.fully_connected(
        names, build.weight, activation, Precision[build.options.precision]
    )
    added = residual[0] if residual and (after or activation == NO_ACTIVATION) else None
    assert x.axis is not None
    reads = [x, *([build.whole(build.blocked(added, x.axis))] if added else [])]
    if added:
        target = build.temporary(build.shapes[node.output], Layout(x.axis))
        build.define(node.output, target)
    else:
        target = build.new(node.output, Layout(x.axis))
    core = steps.fully_connected_step(
        layer, added is not None, x.shape[0], x.of_blocks, target.of_blocks
    )
    build.emit(core, reads, [target], "fully connected", x.shape[0] * prod(build.shapes[names[0]]))
    if residual and not added:
        _add(build, target, build.blocked(residual[0], x.axis, FLOATS))


def _add(build: Builder, target: Value, residual: Value) -> None:
    core = steps.eltwise_step("add", target.array, residual.array, target.array, NO_ACTIVATION)
    build.emit(core, [target, residual], [target], "add")


def _slice_blocks(value: Value) -> int:
    """Blocks of the array that a value is a slice of; 0 where it is whole, or plain."""
    return 0 if value.whole or value.axis is None else value.of_blocks
