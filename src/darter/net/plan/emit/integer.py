"""Tensors of 8-bit integers, kept as uint8 in blocks, and convolutions of them."""

import numpy as np

from darter.kernels import (
    Element,
    Layout,
    Residual,
    Rounding,
    steps,
    sum_numbers,
)
from darter.net.graph import Node
from darter.net.plan.algorithm import integer_geometry
from darter.net.plan.builder import Builder
from darter.net.plan.storage import Value

INTEGERS = Layout(1, Element.uint8)
LARGEST = 1e30  # of a scale, of any file
FEW = 4  # channels, of which a convolution takes numbers and rounds them on their way


def quantize(build: Builder, node: Node) -> None:
    x, rounding = node.inputs[0], _rounding(build, node)
    plain = build.axis(x) is None and len(build.shapes[x]) == 4
    if plain and _rounds_itself(build, build.graph.only_consumer(node.output)):
        build.plain(x).storage.holds(x, build.last_use(node.output))
        return
    target = build.new_whole(node.output, INTEGERS)
    if plain:
        source, core = build.plain(x), steps.quantize_plain_step(target.array, *rounding)
    else:
        source = build.whole(build.blocked(x))
        core = steps.quantize_step(_own(source), *rounding)
    build.emit(core, [source], [target], "to integers")


def _rounding(build: Builder, node: Node) -> tuple[float, float, float, float]:
    """Of a Quantize: its step, the limits before the zero point is added, the zero point."""
    given = build.attributes(node)
    zero = given["zero"]
    return given["step"], float(-zero), float(255 - zero), float(zero)


def _rounds_itself(build: Builder, reader: Node | None) -> bool:
    """Whether a convolution takes numbers: of few channels, as the first one of a net."""
    if reader is None or reader.op != "IntegerConv" or build.attributes(reader)["group"] != 1:
        return False
    return build.shapes[reader.inputs[0]][1] <= FEW


def dequantize(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    source, target = _integers(build, node.inputs[0]), build.new_whole(node.output, Layout(1))
    core = steps.dequantize_step(source.array, given["scale"], float(given["zero"]))
    build.emit(core, [source], [target], "to numbers")


def integer_conv(build: Builder, node: Node) -> None:
    """With the sum that follows, where what is added is there already."""
    x, total = node.inputs[0], _sum_after(build, node)
    first = None if build.is_there(x) else build.graph.producer(x)  # that left it to us
    sources = [_integers(build, x) if first is None else build.plain(first.inputs[0])]
    residual = None
    if total is not None:
        sources += [_integers(build, name) for name in total.inputs if name != node.output]
        residual = _residual(build, node, total)
    target = build.new_whole((total or node).output, INTEGERS)
    n = build.shapes[x][0]
    layer = _layer(build, node, residual, n)
    core = (steps.integer_step(layer, n) if first is None
            else steps.rounded_integer_step(layer, n, *_rounding(build, first)))  # fmt: skip
    _, c, r, s = build.graph.weights[node.inputs[1]].shape
    count = int(np.prod(build.shapes[node.output])) * c * r * s
    build.emit(core, sources, [target], "integers", count)


def integer_add(build: Builder, node: Node) -> None:
    if build.is_there(node.output):  # a convolution computed it
        return
    given = build.attributes(node)
    sources = [_integers(build, name) for name in node.inputs]
    target = build.new_whole(node.output, INTEGERS)
    to = Rounding(given["zero"], given["low"], given["high"])
    numbers = sum_numbers(given["zeros"], given["scales"], to)
    core = steps.add_integers_step(sources[0].array, numbers)
    build.emit(core, sources, [target], "integers")


def _sum_after(build: Builder, node: Node) -> Node | None:
    """The sum that alone reads what a convolution gives, if all else in it is computed by now."""
    total = build.graph.only_consumer(node.output)
    if total is None or total.op != "IntegerAdd" or build.attributes(node)["group"] != 1:
        return None
    others = [name for name in total.inputs if name != node.output]
    return total if len(others) == 1 and build.is_there(others[0]) else None


def _residual(build: Builder, node: Node, total: Node) -> Residual:
    given = build.attributes(total)
    own = total.inputs.index(node.output)
    to = Rounding(given["zero"], given["low"], given["high"])
    scales, zeros = given["scales"], given["zeros"]
    return Residual(scales[own], scales[1 - own], zeros[1 - own], to, own == 0)


def integer_scale(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    source, target = _integers(build, node.inputs[0]), build.new_whole(node.output, INTEGERS)
    zero, low, high = (given[key] for key in ("zero", "low", "high"))
    scale = float(np.clip(given["scale"], -LARGEST, LARGEST))
    numbers = [float(given["x_zero"]), scale, float(low - zero), float(high - zero), float(zero)]
    core = steps.integer_scale_step(source.array, numbers)
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


def _layer(
    build: Builder, node: Node, residual: Residual | None, n: int
) -> steps.IntegerConvolution:
    given, names = build.attributes(node), node.inputs[1:]
    spec = integer_geometry(node, build.shapes)
    zero, low, high = (given[key] for key in ("zero", "low", "high"))
    own = Rounding(zero, low, high)
    limits = [*own.limits, float(zero)]
    added = None if residual is None else residual.numbers(own)
    algorithm = steps.integer_algorithm(spec, n)

    def pack() -> steps.IntegerConvolution:
        kinds = np.int8, np.int32, np.float32
        weights, bias, scale = (
            np.ascontiguousarray(build.graph.weights[name], kind)
            for name, kind in zip(names, kinds, strict=True)
        )
        zero, factors = given["x_zero"], scale.tolist()
        return steps.integer_convolution(
            spec, weights, bias, zero, factors, limits, False, added, algorithm
        )

    key = names, tuple(spec), given["x_zero"], tuple(limits), residual, algorithm
    return build.packed.integer(key, pack)
