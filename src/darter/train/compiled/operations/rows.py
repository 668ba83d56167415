"""What changes shapes, and fully connected layers, joins and dropout, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import fx

from darter.train.compiled.builder import Value
from darter.train.compiled.chains import NOTHING, Ref
from darter.train.compiled.operations.table import argument, operation
from darter.train.compiled.shapes import Refused, shape_of

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer


@operation("alias", "clone", "contiguous")
def same(writer: Writer, node: fx.Node) -> None:
    x = writer.tensor(node.args[0])
    x.users += 1  # another name for it
    writer.put(node, x)


@operation("flatten", "view", "reshape", "squeeze")
def flatten(writer: Writer, node: fx.Node) -> None:
    x = writer.tensor(node.args[0])
    shape = shape_of(node)
    if len(shape) != 2 or shape[1] != x.channels * x.h * x.w:
        raise Refused("only maps become rows, one per image")
    if x.plain:
        x.users += 1
        writer.put(node, x)
    else:
        writer.put(node, to_rows(writer, x))


def to_rows(writer: Writer, x: Value) -> Value:
    """A map as one row per image."""
    build = writer.build
    y = build.value(x.channels * x.h * x.w, 1, 1, plain=True, learns=x.learns)
    x.users += 1
    build.relay(x, y)
    return y


@operation("linear")
def linear(writer: Writer, node: fx.Node) -> None:
    x = writer.rows(node.args[0])
    bias = argument(node, 2, "bias")
    writer.put(node, write_linear(writer, x, writer.parameter(node.args[1]), bias))


def write_linear(writer: Writer, x: Value, weight: Any, bias: Any) -> Value:
    build = writer.build
    outputs, inputs = weight.shape[0], weight[0].numel()
    w, b = writer.given(weight), writer.given_or_nothing(bias)
    learning = [p for p in (weight, bias) if p is not None and writer.learns(p)]
    y = build.value(outputs, 1, 1, plain=True, learns=x.learns or bool(learning))
    x.users += 1
    build.emit(
        "linear", inputs, outputs, x.ref, w, b, y.ref,
        reads=(x.ref, w, b), writes=(y.ref,), whole=True,
    )  # fmt: skip

    def back() -> None:
        dy = y.gradient
        if dy is None:
            return
        if learning:
            dw = writer.gradient(weight) if writer.learns(weight) else NOTHING
            db = NOTHING
            if bias is not None and writer.learns(bias):
                db = writer.gradient(writer.parameter(bias))
            build.emit(
                "linear_filter_gradient", inputs, outputs, x.ref, dy, dw, db,
                reads=(x.ref, dy), writes=(dw, db), whole=True,
            )  # fmt: skip
        if x.learns:
            dx, accumulate = build.wanted(x)
            build.emit(
                "linear_input_gradient", inputs, outputs, dy, w, dx, accumulate,
                reads=(dy, w, dx) if accumulate else (dy, w), writes=(dx,), whole=True,
            )  # fmt: skip

    if y.learns:
        build.back(back)
    return y


@operation("cat")
def concatenate(writer: Writer, node: fx.Node) -> None:
    if argument(node, 1, "dim", 0) not in (1, -3):
        raise Refused("maps are joined along channels")
    joined: Any = node.args[0]
    parts, build = [writer.blocked(arg) for arg in joined], writer.build
    if len({(part.h, part.w) for part in parts}) != 1:
        raise Refused("joined maps are of one size")
    channels = sum(part.channels for part in parts)
    z = build.value(channels, parts[0].h, parts[0].w, learns=any(p.learns for p in parts))
    first = 0
    places = []
    for part in parts:
        part.users += 1
        build.emit(
            "slice", z.planes, part.planes, first, part.ref, z.ref, True, False,
            reads=(part.ref,), writes=(z.ref,),
        )  # fmt: skip
        places.append(first)
        first += part.channels
    writer.put(node, z)

    def back() -> None:
        if z.gradient is None:
            return
        for part, first in zip(parts, places, strict=True):
            if not part.learns:
                continue
            to, accumulate = build.wanted(part)
            build.emit(
                "slice", z.planes, part.planes, first, z.gradient, to, False, accumulate,
                reads=(z.gradient, to) if accumulate else (z.gradient,), writes=(to,),
            )  # fmt: skip

    if z.learns:
        build.back(back)


@operation("dropout")
def dropout(writer: Writer, node: fx.Node) -> None:
    x, build = writer.tensor(node.args[0]), writer.build
    p, training = float(argument(node, 1, "p")), argument(node, 2, "train")
    x.users += 1
    if not training or p == 0:
        writer.put(node, x)
        return
    y, stream = build.like(x), writer.next_stream()

    def emit(given: Ref, to: Ref, accumulate: bool) -> None:
        build.emit(
            "dropout", x.floats, given, to, p, stream, accumulate,
            reads=(given, to) if accumulate else (given,), writes=(to,),
        )  # fmt: skip

    emit(x.ref, y.ref, False)
    writer.put(node, y)
    if x.learns:

        def back() -> None:
            if y.gradient is not None:
                emit(y.gradient, *build.wanted(x))

        build.back(back)
