"""Tensors of +1 and -1 as bits, and convolutions of them."""

import numpy as np

from darter.kernels import Element, Layout, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder
from darter.net.plan.storage import Value

BITS = Layout(1, Element.bit)
NUMBERS = ("strides", "pads", "dilations")


def binarize(build: Builder, node: Node) -> None:
    x, threshold = node.inputs
    source = build.blocked(x)
    core = steps.pack_bits_step(source.array, build.weight(threshold).tolist())
    build.emit(core, [source], [build.new_whole(node.output, BITS)], "bits")


def binary_conv(build: Builder, node: Node) -> None:
    x, _, *after = node.inputs
    residual = [build.whole(build.blocked(name)) for name in after[4:]]
    source, target = _bits(build, x), build.new(node.output, Layout(1))
    layer = _layer(build, node, tuple(after[:4]), None)
    n = build.shapes[x][0]
    core = steps.binary_step(layer, n, bool(residual), target.of_blocks)
    build.emit(core, [source, *residual], [target], "bits", _count(build, node))


def binary_conv_bits(build: Builder, node: Node) -> None:
    x, _, scale, bias, threshold = node.inputs
    source, target = _bits(build, x), build.new_whole(node.output, BITS)
    layer = _layer(build, node, (scale, bias), threshold)
    core = steps.binary_step(layer, build.shapes[x][0], False, 0)
    build.emit(core, [source], [target], "bits", _count(build, node))


def _bits(build: Builder, name: str) -> Value:
    return build.blocked(name, 1, (Element.bit,))


def _layer(
    build: Builder, node: Node, after: tuple[str, ...], threshold: str | None
) -> steps.BinaryConvolution:
    given, name = build.attributes(node), node.inputs[1]
    spec = [*build.shapes[node.inputs[0]][1:], *_filters(build.graph.weights[name].shape)]
    spec += [number for key in NUMBERS for number in given[key]]

    def pack() -> steps.BinaryConvolution:
        w = build.weight(name)
        arrays = [np.ascontiguousarray(build.weight(each)) for each in after]
        arrays += [np.ones(len(w), np.float32), np.zeros(len(w), np.float32)][len(after) // 4 * 2 :]
        layer = steps.binary_convolution(spec, w, *arrays)
        if threshold is not None:
            layer.compare_with(build.weight(threshold))
        return layer

    return build.packed.binary((name, *after, threshold, tuple(spec)), pack)


def _filters(shape: tuple[int, ...]) -> tuple[int, int, int]:
    k, _, r, s = shape
    return k, r, s


def _count(build: Builder, node: Node) -> int:
    """Multiply-adds of single bits."""
    _, c, r, s = build.graph.weights[node.inputs[1]].shape
    return int(np.prod(build.shapes[node.output])) * c * r * s
