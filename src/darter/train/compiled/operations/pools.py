"""Pools and means of pixels, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import fx

from darter.train.compiled.builder import Value
from darter.train.compiled.chains import NOTHING, Ref
from darter.train.compiled.operations.rows import to_rows
from darter.train.compiled.operations.table import argument, operation, operation_name
from darter.train.compiled.shapes import Refused, image_shape, pair

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer


@operation("max_pool2d", "avg_pool2d")
def pool(writer: Writer, node: fx.Node) -> None:
    mean = operation_name(node) == "avg_pool2d"
    kernel = pair(argument(node, 1, "kernel_size"))
    stride = pair(argument(node, 2, "stride") or kernel)
    padding = pair(argument(node, 3, "padding", 0))
    counted = argument(node, 5, "count_include_pad", True) if mean else True
    if mean and argument(node, 6, "divisor_override") is not None:
        raise Refused("pools divide by what they count")
    if not mean and pair(argument(node, 4, "dilation", 1)) != (1, 1):
        raise Refused("pools have dilation 1")
    _, out_h, out_w = image_shape(node)
    write_pool(writer, node, (*kernel, *stride, *padding), (out_h, out_w), mean, counted)


def write_pool(
    writer: Writer, node: fx.Node, window: tuple[int, ...], size: tuple[int, int], mean: bool,
    counted: bool,
) -> Value:  # fmt: skip
    x, build = writer.blocked(node.args[0]), writer.build
    y = build.value(x.channels, *size, learns=x.learns)
    numbers = [x.channels, x.h, x.w, *size, *window, int(mean), int(counted)]
    x.users += 1
    build.emit("pool", numbers, x.ref, y.ref, reads=(x.ref,), writes=(y.ref,))
    writer.put(node, y)

    def back() -> None:
        if y.gradient is None:
            return
        seen = NOTHING if mean else x.kept()
        found = NOTHING if mean else y.ref
        if (
            not mean and y.ref.short
        ):  # rounded, it would be none of those that it was the largest of
            found = Ref(y.floats)
            build.emit("pool", numbers, seen, found, reads=(seen,), writes=(found,))
        dx, accumulate = build.wanted(x)
        build.emit(
            "pool_gradient", numbers, seen, found, y.gradient, dx, accumulate,
            reads=(seen, found, y.gradient, *((dx,) if accumulate else ())), writes=(dx,),
        )  # fmt: skip

    if x.learns:
        build.back(back)
    return y


@operation("adaptive_avg_pool2d")
def adaptive_pool(writer: Writer, node: fx.Node) -> None:
    x, size = writer.blocked(node.args[0]), pair(node.args[1])
    if x.h % size[0] or x.w % size[1]:
        raise Refused(f"{x.h}x{x.w} pixels do not fall into {size[0]}x{size[1]} equal parts")
    if size == (x.h, x.w):
        x.users += 1  # another name for it
        writer.put(node, x)
        return
    kernel = (x.h // size[0], x.w // size[1])
    write_pool(writer, node, (*kernel, *kernel, 0, 0), size, True, True)


@operation("mean")
def mean(writer: Writer, node: fx.Node) -> None:
    x = writer.blocked(node.args[0])
    axes = sorted(axis % 4 for axis in argument(node, 1, "dim") or ())
    if axes != [2, 3] or node.kwargs.get("dtype") is not None:
        raise Refused("means are over the pixels of a map")
    write_pool(writer, node, (x.h, x.w, x.h, x.w, 0, 0), (1, 1), True, True)
    if not argument(node, 2, "keepdim", False):
        writer.put(node, to_rows(writer, writer.blocked(node)))
