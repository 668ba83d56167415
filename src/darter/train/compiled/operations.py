"""What a segment may hold: PyTorch's operations, as steps forward and backward.

Each function of `OPERATIONS` takes the `Writer` and a node, and raises Refused where it must.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import fx

from darter.conv import ConvSpec
from darter.kernels import NO_ACTIVATION, Activated, ActivationKind, training_steps
from darter.train.compiled.builder import Layer, Value
from darter.train.compiled.schedule import NOTHING, Ref
from darter.train.compiled.shapes import Refused, image_shape, pair, shape_of

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer

Operation = Callable[["Writer", fx.Node], None]
CLAMPS = (ActivationKind.none, ActivationKind.relu, ActivationKind.clip)
OPERATIONS: dict[str, Operation] = {}


def operation(*names: str) -> Callable[[Operation], Operation]:
    def put(function: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return put


def argument(node: fx.Node, place: int, name: str, default: Any = None) -> Any:
    """As PyTorch's schema numbers and names it."""
    if len(node.args) > place:
        return node.args[place]
    return node.kwargs.get(name, default)


ACTIVATIONS: dict[str, Callable[[fx.Node], Activated]] = {
    "relu": lambda node: (ActivationKind.relu, 0.0, 0.0),
    "relu6": lambda node: (ActivationKind.clip, 0.0, 6.0),
    "hardtanh": lambda node: (
        ActivationKind.clip,
        float(argument(node, 1, "min_val", -1.0)),
        float(argument(node, 2, "max_val", 1.0)),
    ),
    "leaky_relu": lambda node: (
        ActivationKind.leaky_relu,
        float(argument(node, 1, "negative_slope", 0.01)),
        0.0,
    ),
    "elu": lambda node: (ActivationKind.elu, float(argument(node, 1, "alpha", 1.0)), 0.0),
    "silu": lambda node: (ActivationKind.swish, 0.0, 0.0),
    "sigmoid": lambda node: (ActivationKind.sigmoid, 0.0, 0.0),
    "hardsigmoid": lambda node: (ActivationKind.hard_sigmoid, 1 / 6, 0.5),
    "hardswish": lambda node: (ActivationKind.hard_swish, 0.0, 0.0),
    "tanh": lambda node: (ActivationKind.tanh, 0.0, 0.0),
    "gelu": lambda node: (ActivationKind.gelu, 0.0, 0.0),
}


def operation_name(node: fx.Node) -> str:
    """Like conv2d; of functions that work in place without their mark."""
    return str(node.target).removeprefix("aten.").split(".")[0].rstrip("_")


def activation_of(node: fx.Node) -> Activated | None:
    """What the node applies, or None where it is no activation that has a gradient here."""
    name = operation_name(node)
    if name not in ACTIVATIONS or (
        name == "gelu" and node.kwargs.get("approximate", "none") != "none"
    ):
        return None
    if name == "elu" and (len(node.args) > 2 or node.kwargs.keys() - {"alpha"}):
        return None
    return ACTIVATIONS[name](node)


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
    layer, build = Layer(spec), writer.build
    whole = spec.w[1:] == spec.x[1:] and not any(spec.padding)
    if x.h * x.w > 1 and whole:
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
        masked = build.like(y).ref
        build.emit(
            "normalize_gradient", y.planes, dy, NOTHING, y.ref, masked, False, NOTHING, clamp,
            reads=(dy, y.ref), writes=(masked,),
        )  # fmt: skip
        dy = masked
    if bias is not None and writer.learns(bias):
        sums, db = build.sums(y), writer.gradient(writer.parameter(bias))
        build.emit(
            "bias_gradient", y.planes, dy, sums, db, reads=(dy,), writes=(sums,), reduces=(db,)
        )
    if writer.learns(weight):
        name = layer.gradient("filter")
        floats, seen = layer.sum_floats(name), x.kept()
        if x.plain:
            blocked = Ref(build.value(x.channels, x.h, x.w, learns=False).floats)
            build.emit(
                "to_blocked", x.planes, seen, blocked, False, reads=(seen,), writes=(blocked,)
            )
            seen = blocked
        sums, dw = Ref(floats, fixed=True, per_lane=True), writer.gradient(weight)
        build.emit(
            "filter_gradient", name, layer.numbers, seen, dy, sums, dw,
            reads=(seen, dy), writes=(sums,), reduces=(dw,), whole=layer.whole(name),
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
    build.emit("to_blocked", z.planes, y.ref, z.ref, False, reads=(y.ref,), writes=(z.ref,))
    writer.put(node, z)

    def back() -> None:
        if z.gradient is None:
            return
        dy, accumulate = build.wanted(y)
        build.emit(
            "from_blocked", z.planes, z.gradient, dy, accumulate,
            reads=(z.gradient, dy) if accumulate else (z.gradient,), writes=(dy,),
        )  # fmt: skip

    if z.learns:
        build.back(back)


@operation("batch_norm")
def batch_norm(writer: Writer, node: fx.Node) -> None:
    """Statistics here; the pass that normalizes is written where all it takes is there."""
    y, build = writer.blocked(node.args[0]), writer.build
    gamma, beta, mean, variance = (writer.optional(argument(node, i, "")) for i in range(1, 5))
    settings: Any = node.args[5:8]
    training, momentum, epsilon = settings
    blocks = -(-y.channels // 16) * 16
    vectors = Ref(training_steps.VECTORS * blocks, fixed=True)
    places = tuple(NOTHING if p is None else writer.given(p) for p in (gamma, beta, mean, variance))
    if training:
        if build.images * y.h * y.w < 2:
            raise Refused("batch statistics need more than one number per channel")
        sums = build.sums(y)
        y.users += 1
        build.emit(
            "statistics", y.planes, y.ref, sums, vectors, *places, float(momentum), float(epsilon),
            reads=(y.ref,), writes=(sums,), reduces=(vectors,),
        )  # fmt: skip
    else:
        build.emit(
            "frozen_statistics", y.planes, vectors, *places, float(epsilon),
            reads=(), writes=(), reduces=(vectors,),
        )  # fmt: skip
    learns = y.learns or any(p is not None and writer.learns(p) for p in (gamma, beta))
    chain = writer.fused_after(node)  # (residual, activation, the last node)
    writer.pending(chain.last, lambda: normalize(
        writer, y, vectors, chain, (gamma, beta), learns=learns, frozen=not training
    ))  # fmt: skip


def normalize(
    writer: Writer, y: Value, vectors: Ref, chain: Any, scales: tuple[Any, Any], *, learns: bool,
    frozen: bool,
) -> None:  # fmt: skip
    build = writer.build
    residual = None if chain.residual is None else writer.blocked(chain.residual)
    z = build.value(y.channels, y.h, y.w, learns=learns)
    z.learns |= residual is not None and residual.learns
    added = NOTHING if residual is None else residual.ref

    def write(to: Ref) -> None:
        build.emit(
            "normalize", y.planes, y.ref, added, to, vectors, chain.activation,
            reads=(y.ref, vectors, added), writes=(to,),
        )  # fmt: skip

    write(z.ref)
    y.users += 1
    if residual is not None:
        residual.users += 1
    else:

        def again() -> Ref:
            made = build.like(z).ref
            write(made)
            return made

        z.remake = again
    writer.put(chain.last, z)
    if z.learns:
        build.back(
            lambda: normalize_back(writer, y, z, residual, vectors, chain.activation, scales,
                                   learns=learns, frozen=frozen)
        )  # fmt: skip


def normalize_back(
    writer: Writer, y: Value, z: Value, residual: Value | None, vectors: Ref, activation: Activated,
    scales: tuple[Any, Any], *, learns: bool, frozen: bool,
) -> None:  # fmt: skip
    build, dz = writer.build, z.gradient
    if dz is None:
        return
    mask = z.ref if residual is not None and activation[0] != ActivationKind.none else NOTHING
    places = [writer.gradient(p) if p is not None and writer.learns(p) else NOTHING for p in scales]
    dresidual, accumulate = NOTHING, False
    if residual is not None and residual.learns:
        dresidual, accumulate = build.wanted(residual)
    sums = build.sums(y)
    build.emit(
        "normalize_sums", y.planes, dz, y.ref, mask, dresidual, accumulate, sums, vectors, *places,
        activation, frozen, reads=(dz, y.ref, mask, vectors), writes=(sums, dresidual),
        reduces=(vectors, *places),
    )  # fmt: skip
    if not y.learns:
        return
    dy, accumulate = build.wanted(y)
    build.emit(
        "normalize_gradient", y.planes, dz, y.ref, mask, dy, accumulate, vectors, activation,
        reads=(dz, y.ref, mask, vectors), writes=(dy,),
    )  # fmt: skip


@operation(*ACTIVATIONS)
def activation(writer: Writer, node: fx.Node) -> None:
    """One that follows nothing it could be part of."""
    what = activation_of(node)
    if what is None:
        raise Refused("this kind of activation has no gradient here")
    x, build = writer.tensor(node.args[0]), writer.build
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
    build.emit("from_blocked", x.planes, x.ref, y.ref, False, reads=(x.ref,), writes=(y.ref,))

    def back() -> None:
        if y.gradient is None:
            return
        dx, accumulate = build.wanted(x)
        build.emit(
            "to_blocked", x.planes, y.gradient, dx, accumulate,
            reads=(y.gradient, dx) if accumulate else (y.gradient,), writes=(dx,),
        )  # fmt: skip

    if x.learns:
        build.back(back)
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
