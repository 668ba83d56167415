"""Tensors of 8-bit integers, kept as uint8 in blocks, and convolutions of them."""

import numpy as np

from darter.kernels import Element, Layout, canonical, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder
from darter.net.plan.storage import Value

INTEGERS = Layout(1, Element.uint8)
LARGEST = float(np.finfo(np.float32).max)


def quantize(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    zero = given["zero"]
    source = build.whole(build.blocked(node.inputs[0]))
    limits = float(-zero), float(255 - zero), float(zero)
    core = steps.quantize_step(_own(source), given["step"], *limits)
    build.emit(core, [source], [build.new_whole(node.output, INTEGERS)], "to integers")


def dequantize(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    source, target = _integers(build, node.inputs[0]), build.new_whole(node.output, Layout(1))
    core = steps.dequantize_step(source.array, given["scale"], float(given["zero"]))
    build.emit(core, [source], [target], "to numbers")


def integer_conv(build: Builder, node: Node) -> None:
    x = node.inputs[0]
    source, target = _integers(build, x), build.new_whole(node.output, INTEGERS)
    core = steps.integer_step(_layer(build, node), build.shapes[x][0])
    _, c, r, s = build.graph.weights[node.inputs[1]].shape
    count = int(np.prod(build.shapes[node.output])) * c * r * s
    build.emit(core, [source], [target], "integers", count)


def integer_add(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    sources = [_integers(build, name) for name in node.inputs]
    target = build.new_whole(node.output, INTEGERS)
    pairs = zip(given["zeros"], given["scales"], strict=True)
    zero, low, high = (given[key] for key in ("zero", "low", "high"))
    numbers = [float(number) for pair in pairs for number in pair]
    numbers += [float(low - zero), float(high - zero), float(zero)]
    core = steps.add_integers_step(sources[0].array, numbers)
    build.emit(core, sources, [target], "integers")


def integer_scale(build: Builder, node: Node) -> None:
    """By a table of what becomes of each of the 256 integers."""
    given = build.attributes(node)
    source, target = _integers(build, node.inputs[0]), build.new_whole(node.output, INTEGERS)
    zero, low, high = (given[key] for key in ("zero", "low", "high"))
    scale = np.float32(np.clip(given["scale"], -LARGEST, LARGEST))  # of any file
    with np.errstate(over="ignore"):
        v = (np.arange(256, dtype=np.float32) - given["x_zero"]) * scale
    table = np.rint(np.clip(v, low - zero, high - zero)) + zero
    core = steps.integer_table_step(source.array, target.array, 0, table.astype(int).tolist())
    build.emit(core, [source], [target], "integers")


def integer_concat(build: Builder, node: Node) -> None:
    target, channel = build.new_whole(node.output, INTEGERS), 0
    for name in node.inputs:
        source = _integers(build, name)
        core = steps.integer_table_step(source.array, target.array, channel, [*range(256)])
        build.emit(core, [source], [target], "integers")
        channel += build.shapes[name][1]


def integer_max_pool(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    source, target = _integers(build, node.inputs[0]), build.new_whole(node.output, INTEGERS)
    numbers = [*given["kernel"], *given["strides"], *given["pads"], *given["dilations"]]
    build.emit(
        steps.integer_pool_step(source.array, target.array, numbers), [source], [target], "integers"
    )


def integer_reshape(build: Builder, node: Node) -> None:
    source, target = _integers(build, node.inputs[0]), build.new_whole(node.output, INTEGERS)
    build.emit(steps.integer_rows_step(source.array), [source], [target], "integers")


def _integers(build: Builder, name: str) -> Value:
    return build.blocked(name, 1, (Element.uint8,))


def _own(value: Value) -> tuple[int, int, int, int, int, Element]:
    """The array of a value that is whole, whatever it is a part of."""
    n, c, h, w, _, element = value.array
    return n, c, h, w, value.own_blocks, element


def _layer(build: Builder, node: Node) -> steps.IntegerConvolution:
    given, names = build.attributes(node), node.inputs[1:]
    k, _, r, s = build.graph.weights[names[0]].shape
    _, c, h, w = canonical(build.shapes[node.inputs[0]], 1)
    window = [number for key in ("strides", "pads", "dilations") for number in given[key]]
    spec = [c, h, w, k, r, s, *window, given["group"]]
    zero, low, high = (given[key] for key in ("zero", "low", "high"))
    limits = [float(low - zero), float(high - zero), float(zero)]

    def pack() -> steps.IntegerConvolution:
        kinds = np.int8, np.int32, np.float32
        weights, bias, scale = (
            np.ascontiguousarray(build.graph.weights[name], kind)
            for name, kind in zip(names, kinds, strict=True)
        )
        zero, factors = given["x_zero"], scale.tolist()
        return steps.integer_convolution(spec, weights, bias, zero, factors, limits, False, None)

    return build.packed.integer((names, tuple(spec), given["x_zero"], tuple(limits)), pack)
