"""Convolutions, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import fx

from darter.conv import ConvSpec
from darter.kernels import NO_ACTIVATION, Activated
from darter.train.compiled.builder import Layer, Value
from darter.train.compiled.chains import NOTHING, Ref
from darter.train.compiled.operations.rows import to_rows, write_linear
from darter.train.compiled.operations.table import argument, operation
from darter.train.compiled.shapes import Refused, pair

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer


@operation("conv2d")
def convolution(writer: Writer, node: fx.Node) -> None:
    x = writer.blocked_or_picture(node.args[0])
    weight, bias = writer.parameter(node.args[1]), argument(node, 2, "bias")
    padding = argument(node, 4, "padding", 0)
    if isinstance(padding, str):
        raise Refused(f'padding "{padding}" is not a number')
    shape: Any = tuple(weight.shape)
    spec = ConvSpec(
        (1, x.channels, x.h, x.w), shape, pair(argument(node, 3, "stride", 1)),
        pair(padding), pair(argument(node, 5, "dilation", 1)), argument(node, 6, "groups", 1),
    )  # fmt: skip
    build = writer.build
    layer = Layer(spec, build.precision)
    whole = spec.w[1:] == spec.x[1:] and not any(spec.padding)
    if whole and (x.h * x.w > 1 or layer.whole("direct")):
        full_convolution(writer, node, x)
        return
    clamp = writer.fused_clamp(node)  # its own activation, where no normalization comes between
    last = node if clamp is None else next(iter(node.users))
    w, b = writer.given(weight), writer.given_or_nothing(bias)
    learns = writer.learns(weight) or x.learns or (bias is not None and writer.learns(bias))
    y = build.value(spec.w[0], *spec.out_hw, learns=learns)
    name = layer.forward()
    x.users += 1
    build.emit(
        "convolution", name, layer.numbers, x.ref, y.ref, w, b, clamp or NO_ACTIVATION, x.plain,
        reads=(x.ref, w, b), writes=(y.ref,), whole=layer.whole(name),
    )  # fmt: skip
    writer.put(last, y)
    if learns:
        build.back(lambda: convolution_back(writer, layer, x, y, weight, bias, clamp))


def convolution_back(
    writer: Writer,
    layer: Layer,
    x: Value,
    y: Value,
    weight: Any,
    bias: Any,
    clamp: Activated | None,
) -> None:
    build, dy = writer.build, y.gradient
    if dy is None:
        return
    if clamp is not None:
        build.emit(  # in place: nobody else reads it
            "normalize_gradient", y.planes, dy, NOTHING, y.ref, dy, False, NOTHING, clamp,
            reads=(dy, y.ref), writes=(dy,),
        )  # fmt: skip
    if bias is not None and writer.learns(bias):
        sums, db = build.sums(y), writer.gradient(writer.parameter(bias))
        build.emit(
            "bias_gradient", y.planes, dy, sums, db, reads=(dy,), writes=(sums,), reduces=(db,)
        )
    if writer.learns(weight):
        name = layer.gradient("filter")
        whole, seen = layer.whole(name), x.kept()
        floats = layer.sum_floats(name, build.images, whole)
        if x.plain and name.startswith("few-channels"):
            name += "-plain"
        elif x.plain:
            blocked = Ref(build.value(x.channels, x.h, x.w, learns=False).floats)
            build.emit(
                "to_blocked", x.planes, seen, blocked, False, reads=(seen,), writes=(blocked,)
            )
            seen = blocked
        sums, dw = Ref(floats, fixed=True, per_lane=True), writer.gradient(weight)
        build.emit(
            "filter_gradient", name, layer.numbers, seen, dy, sums, dw, whole,
            reads=(seen, dy), writes=(sums,), reduces=(dw,), whole=whole,
        )  # fmt: skip
    if x.learns:
        name = layer.gradient("input")
        w = writer.given(weight)
        dx, accumulate = build.wanted(x)
        build.emit(
            "input_gradient", name, layer.numbers, dy, dx, w, accumulate,
            reads=(dy, w, dx) if accumulate else (dy, w), writes=(dx,), whole=layer.whole(name),
        )  # fmt: skip


def full_convolution(writer: Writer, node: fx.Node, x: Value) -> None:
    """Filters as large as the map are a linear layer of its numbers."""
    rows = x if x.plain else to_rows(writer, x)
    y = write_linear(writer, rows, writer.parameter(node.args[1]), argument(node, 2, "bias"))
    build = writer.build
    z = build.value(y.channels, 1, 1, learns=y.learns)
    y.users += 1
    build.relay(y, z)
    writer.put(node, z)
