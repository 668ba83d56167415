"""Activations, sums and gates, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import fx

from darter.kernels import NO_ACTIVATION
from darter.train.compiled.builder import Value
from darter.train.compiled.chains import NOTHING, Ref
from darter.train.compiled.operations.table import ACTIVATIONS, activation_of, argument, operation
from darter.train.compiled.shapes import Refused, shape_of

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer


@operation(*ACTIVATIONS)
def activation(writer: Writer, node: fx.Node) -> None:
    """One that follows nothing it could be part of."""
    what = activation_of(node)
    if what is None:
        raise Refused("this kind of activation has no gradient here")
    operand, build = node.args[0], writer.build
    rows = isinstance(operand, fx.Node) and len(shape_of(operand)) == 2
    x = writer.tensor(operand) if rows else writer.blocked(operand)
    if x.plain and x.channels % 16:
        raise Refused("activations of rows need whole blocks of 16")
    z, planes = build.like(x), x.planes if not x.plain else (16, x.channels // 16)
    x.users += 1
    build.emit(
        "normalize", planes, x.ref, NOTHING, z.ref, NOTHING, what, reads=(x.ref,), writes=(z.ref,)
    )
    writer.put(node, z)

    def back() -> None:
        if z.gradient is None:
            return
        seen = x.kept()
        dx, accumulate = build.wanted(x)
        build.emit(
            "normalize_gradient", planes, z.gradient, seen, NOTHING, dx, accumulate, NOTHING, what,
            reads=(z.gradient, seen, dx) if accumulate else (z.gradient, seen), writes=(dx,),
        )  # fmt: skip

    if x.learns:
        build.back(back)


@operation("add")
def add(writer: Writer, node: fx.Node) -> None:
    a, b = (writer.tensor(arg) for arg in node.args[:2])
    if argument(node, 2, "alpha", 1) != 1 or (a.channels, a.h, a.w) != (b.channels, b.h, b.w):
        raise Refused("sums are of equal shapes, without a factor")
    if a.plain or b.plain:
        raise Refused("sums are of maps")
    build = writer.build
    z = build.value(a.channels, a.h, a.w, learns=a.learns or b.learns)
    a.users, b.users = a.users + 1, b.users + 1
    build.emit(
        "normalize", a.planes, a.ref, b.ref, z.ref, NOTHING, NO_ACTIVATION,
        reads=(a.ref, b.ref), writes=(z.ref,),
    )  # fmt: skip
    writer.put(node, z)

    def back() -> None:
        if z.gradient is None:
            return
        for part in (a, b):
            if part.learns:
                pass_on(writer, z.gradient, part)

    if z.learns:
        build.back(back)


def pass_on(writer: Writer, gradient: Ref, value: Value) -> None:
    to, accumulate = writer.build.wanted(value)
    writer.build.emit(
        "copy", value.floats, gradient, to, accumulate,
        reads=(gradient, to) if accumulate else (gradient,), writes=(to,),
    )  # fmt: skip


@operation("mul")
def gate(writer: Writer, node: fx.Node) -> None:
    """A map times one number per image and channel (squeeze and excite)."""
    if not all(isinstance(arg, fx.Node) for arg in node.args[:2]):
        raise Refused("products are of two tensors")
    x, by = (writer.blocked(arg) for arg in node.args[:2])
    if (x.h, x.w) == (1, 1):
        x, by = by, x
    if (by.h, by.w) != (1, 1) or x.channels != by.channels:
        raise Refused("products are of a map and one number per image and channel")
    build = writer.build
    z = build.value(x.channels, x.h, x.w, learns=x.learns or by.learns)
    x.users, by.users = x.users + 1, by.users + 1
    build.emit("gate", x.planes, x.ref, by.ref, z.ref, reads=(x.ref, by.ref), writes=(z.ref,))
    writer.put(node, z)

    def back() -> None:
        if z.gradient is None:
            return
        dx, more_x = build.wanted(x) if x.learns else (NOTHING, False)
        dby, more_by = build.wanted(by) if by.learns else (NOTHING, False)
        reads = [z.gradient, x.ref, by.ref]
        reads += [ref for ref, more in ((dx, more_x), (dby, more_by)) if more]
        build.emit(
            "gate_gradient", x.planes, x.ref, by.ref, z.gradient, dx, more_x, dby, more_by,
            reads=tuple(reads), writes=(dx, dby),
        )  # fmt: skip

    if z.learns:
        build.back(back)
