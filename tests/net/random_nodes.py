"""A graph that grows by random nodes: one function here for each way to go on."""

from collections.abc import Callable
from contextlib import suppress
from math import prod

import numpy as np

from darter.errors import ShapeError
from darter.net import Graph, Node
from darter.net.graph import needed, node
from darter.net.ops import ACTIVATIONS, OPS, Activation
from tests.net import more_operations as more

LARGEST = 6000  # elements of a tensor, for one picture
CHANNELS = (1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 32, 40, 64)


class Draft:
    """A graph that grows by random nodes; the last tensors are the likeliest to be read."""

    def __init__(self, rng: np.random.Generator, picture: tuple[int, ...]) -> None:
        self.rng, self.nodes, self.weights = rng, [], {}
        self.shapes: dict[str, tuple[int, ...]] = {"x": picture}  # without the pictures
        self.picture = picture

    def pick(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def weight(self, *shape: int, scale: float = 1.0) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = (scale * self.rng.standard_normal(shape)).astype(np.float32)
        return name

    def activation(self) -> Activation | None:
        return self.pick(None, None, Activation(self.pick(*ACTIVATIONS), 0.1, 1.5))

    def add(self, op: str, inputs, dims: tuple[int, ...], /, **attributes) -> str | None:
        if not dims or prod(dims) > LARGEST or min(dims) < 1:
            return None
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(op, name, inputs, name, **attributes))
        self.shapes[name] = tuple(int(size) for size in dims)
        return name

    def source(self) -> str:
        names = list(self.shapes)
        return names[-1 - min(int(self.rng.geometric(0.6)) - 1, len(names) - 1)]

    def same_shape(self, name: str) -> str | None:
        twins = [n for n, shape in self.shapes.items() if shape == self.shapes[name] and n != name]
        return self.pick(*twins) if twins else None

    def grow(self) -> None:
        x = self.source()
        rank = len(self.shapes[x])
        makers = [m for ranks, m in MAKERS if rank in ranks]
        self.pick(*makers)(self, x)

    def add_binary(self, rng: np.random.Generator) -> None:
        """Now and then layers of +1 and -1, by random numbers of their own."""
        images = [name for name, shape in self.shapes.items() if len(shape) == 3]
        if images and rng.random() < 0.15:
            usual, self.rng = self.rng, rng
            more.binary(self, images[-1])
            self.rng = usual

    def graph(self) -> Graph:
        # Not what is the same for every picture, nor bits: no file gives such outputs.
        made = [n for n in self.nodes if n.op not in ("Binarize", "BinaryConvBits")]
        names = [n.outputs[0] for n in made if n.op != "Expand" or len(n.inputs) == 1]
        read = {name for n in self.nodes for name in n.inputs}
        outputs = tuple(name for name in names if name not in read) or (names[-1],)
        if self.pick(True, False, False, False):  # one that is read, too, or that is given twice
            outputs += (self.pick(*names),)
        inputs = {"x": (None, *self.picture)}
        return needed(Graph(tuple(self.nodes), inputs, outputs, self.weights))


def conv(d: Draft, x: str) -> None:
    c, h, w = d.shapes[x]
    side = (d.pick(1, 1, 2, 3, 3, 5), d.pick(1, 3, 3))
    pads = tuple(int(d.rng.integers(0, 2 + s // 3)) for s in (*side, *side))
    stride, dilation = d.pick((1, 1), (1, 1), (2, 2), (2, 1)), d.pick((1, 1), (1, 1), (2, 2))
    group = d.pick(1, 1, 1, c, *(g for g in (2, 4) if c % g == 0))
    k = d.pick(*CHANNELS) if group == 1 else group * d.pick(1, c // group, 2)
    reach = [(s - 1) * e + 1 for s, e in zip(side, dilation, strict=True)]
    sizes = (h + pads[0] + pads[2], w + pads[1] + pads[3])
    if any(size < r for size, r in zip(sizes, reach, strict=True)):
        return
    out = tuple((n - r) // s + 1 for n, r, s in zip(sizes, reach, stride, strict=True))
    taps = c // group * side[0] * side[1]
    filters = d.weight(k, c // group, *side, scale=taps**-0.5)
    twins = [name for name, shape in d.shapes.items() if shape == (k, *out)]
    added = [d.pick(*twins)] if twins and d.pick(True, False) else []
    d.add(
        "Conv", [x, filters, d.weight(k), *added], (k, *out), strides=stride, pads=pads,
        dilations=dilation, group=group, activation=d.activation(),
        activation_after_residual=d.pick(True, False) if added else False,
    )  # fmt: skip


def gemm(d: Draft, x: str) -> None:
    *outer, c = d.shapes[x]
    k = d.pick(*CHANNELS, 100)
    twins = [name for name, shape in d.shapes.items() if shape == (*outer, k)]
    added = [d.pick(*twins)] if twins and d.pick(True, False) else []
    d.add(
        "Gemm", [x, d.weight(k, c, scale=c**-0.5), d.weight(k), *added], (*outer, k),
        activation=d.activation(),
        activation_after_residual=d.pick(True, False) if added else False,
    )  # fmt: skip


def pool(d: Draft, x: str) -> None:
    op, ceil, dilation = d.pick("MaxPool", "AveragePool"), d.pick(True, False), d.pick(1, 1, 2)
    kernel = (d.pick(1, 2, 3, 4), d.pick(1, 2, 3))
    reach = [(k - 1) * dilation + 1 for k in kernel]
    given = {
        "kernel": kernel, "strides": d.pick((1, 1), (2, 2), (2, 1), (3, 2)), "ceil": ceil,
        "dilations": (dilation, dilation),
        "pads": tuple(int(d.rng.integers(0, min(r, 3))) for r in reach * 2),
    }  # fmt: skip
    if op == "AveragePool":
        given["count_padding"] = d.pick(True, False)
    with suppress(ShapeError):
        (shape,) = OPS[op].shape(given, [(1, *d.shapes[x])])
        d.add(op, [x], shape[1:], **given)


def global_pool(d: Draft, x: str) -> None:
    d.add(d.pick("GlobalAveragePool", "GlobalMaxPool"), [x], (d.shapes[x][0], 1, 1))


def per_channel(d: Draft, x: str) -> None:
    c = d.shapes[x][0]
    if d.pick(True, False):
        d.add("Scale", [x, d.weight(c), d.weight(c)], d.shapes[x], activation=d.activation())
    else:
        d.add("ChannelNorm", [x, d.weight(c), d.weight(c)], d.shapes[x], epsilon=1e-2)


def lrn(d: Draft, x: str) -> None:
    d.add("LRN", [x], d.shapes[x], size=d.pick(1, 2, 3, 4, 5), alpha=0.1)


def layer_norm(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    axis = d.pick(*range(1, len(shape) + 1), len(shape))
    rest = shape[axis - 1 :]
    d.add(
        "LayerNorm", [x, d.weight(*rest), d.weight(*rest)], shape,
        axis=d.pick(axis, axis - len(shape) - 1), epsilon=1e-2,
    )  # fmt: skip


def softmax(d: Draft, x: str) -> None:
    axis = d.pick(*range(1, len(d.shapes[x]) + 1))
    d.add("Softmax", [x], d.shapes[x], axis=axis, log=d.pick(True, False, False))


def reduce(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    count = int(d.rng.integers(1, len(shape) + 1))
    axes = sorted(d.rng.permutation(len(shape))[:count].tolist())
    keep = len(axes) == len(shape) or d.pick(True, False)
    out = tuple(1 if i in axes else s for i, s in enumerate(shape) if keep or i not in axes)
    function = d.pick("mean", "mean", "sum", "max", "min", "l2")
    d.add("Reduce", [x], out, function=function, axes=tuple(a + 1 for a in axes), keep_dims=keep)


def activate(d: Draft, x: str) -> None:
    d.add("Activation", [x], d.shapes[x], activation=Activation(d.pick(*ACTIVATIONS), 0.1, 1.5))


def prelu(d: Draft, x: str) -> None:
    d.add("PRelu", [x, d.weight(*part_of(d, x), scale=0.3)], d.shapes[x])


def part_of(d: Draft, x: str) -> tuple[int, ...]:
    """A shape that broadcasts to that of x: per channel, of some axes, of the last ones, ()."""
    shape = d.shapes[x]
    some = tuple(d.pick(size, size, 1) for size in shape)
    return d.pick(some, shape[:1] + (1,) * (len(shape) - 1), shape[-1:], shape, ())


def eltwise(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    other = d.same_shape(x)
    if other is None or d.pick(True, False):
        other = d.weight(*part_of(d, x))
    function = d.pick("add", "add", "sub", "mul", "max", "min", "div", "pow")
    if function in ("div", "pow"):  # by numbers from 1/2 to 2, so that nothing blows up
        factor = d.weight(*part_of(d, x))
        d.weights[factor] = np.exp2(np.tanh(d.weights[factor]))
        if function == "pow":
            x = d.add("Activation", [x], shape, activation=Activation("sigmoid")) or x
        pair = [x, factor]
    else:
        pair = d.pick([x, other], [other, x])
    d.add("Eltwise", pair, shape, function=function, activation=d.activation())


def broadcast(d: Draft, x: str) -> None:
    """A gate: the tensor times its own mean over all pixels, or over some axes."""
    shape = d.shapes[x]
    axes = tuple(range(2, len(shape) + 1))
    if d.pick(True, False):
        axes = tuple(axis for axis in range(1, len(shape) + 1) if d.pick(True, False)) or axes
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape, 1))
    gate = d.add("Reduce", [x], kept, function="mean", axes=axes, keep_dims=True)
    if gate:
        d.add("Eltwise", d.pick([x, gate], [gate, x]), shape, function=d.pick("mul", "add"))


def transpose(d: Draft, x: str) -> None:
    order = d.rng.permutation(len(d.shapes[x])).tolist()
    shape = tuple(d.shapes[x][i] for i in order)
    d.add("Transpose", [x], shape, order=(0, *(i + 1 for i in order)))


def reshape(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    options = [(prod(shape),), (*shape, 1), (1, *shape)]
    if len(shape) > 1:
        at = int(d.rng.integers(0, len(shape) - 1))
        options.append((*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]))
    for at, size in enumerate(shape):
        if size % 2 == 0:
            options.append((*shape[:at], size // 2, 2, *shape[at + 1 :]))
    new = d.pick(*(option for option in options if len(option) <= 4))
    d.add("Reshape", [x], new, shape=(None, *new))


def cut(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    axis = int(d.rng.integers(len(shape)))
    start = int(d.rng.integers(0, shape[axis]))
    stop = int(d.rng.integers(start + 1, shape[axis] + 1))
    step = d.pick(1, 1, 2)
    size = -(-(stop - start) // step)
    out = (*shape[:axis], size, *shape[axis + 1 :])
    d.add("Slice", [x], out, axis=axis + 1, start=start, stop=stop, step=step)


def take(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    axis = int(d.rng.integers(len(shape)))
    places = tuple(d.rng.integers(0, shape[axis], int(d.rng.integers(1, 6))).tolist())
    out = (*shape[:axis], len(places), *shape[axis + 1 :])
    d.add("Take", [x], out, axis=axis + 1, places=places)


def split(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    axis = int(d.rng.integers(len(shape)))
    if shape[axis] < 2:
        return
    first = d.pick(int(d.rng.integers(1, shape[axis])), shape[axis] // 2)
    sizes = (first, shape[axis] - first)
    names = [f"t{len(d.nodes)}a", f"t{len(d.nodes)}b"]
    made = Node("Split", names[0], (x,), tuple(names), {"axis": axis + 1, "sizes": sizes})
    d.nodes.append(made)
    for name, size in zip(names, sizes, strict=True):
        d.shapes[name] = (*shape[:axis], size, *shape[axis + 1 :])


def concat(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    axis = int(d.rng.integers(len(shape)))

    def fits(other: tuple[int, ...]) -> bool:
        return len(other) == len(shape) and all(
            a == b for i, (a, b) in enumerate(zip(shape, other, strict=True)) if i != axis
        )

    fitting = [name for name, other in d.shapes.items() if fits(other)]
    parts = [x, *(d.pick(*fitting) for _ in range(d.pick(1, 2)))]
    total = sum(d.shapes[part][axis] for part in parts)
    d.add("Concat", parts, (*shape[:axis], total, *shape[axis + 1 :]), axis=axis + 1)


def channels(d: Draft, x: str) -> None:
    _, *pixels = d.shapes[x]
    others = [name for name, shape in d.shapes.items() if list(shape[1:]) == pixels]
    parts = [x, *(d.pick(*others) for _ in range(d.pick(0, 1)))]
    places = [(i, k) for i, part in enumerate(parts) for k in range(d.shapes[part][0])]
    count = int(d.rng.integers(1, len(places) + 1))
    sources = tuple(places[int(k)] for k in d.rng.integers(0, len(places), count))
    d.add("Channels", parts, (count, *pixels), sources=sources)


def pad(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    mode = d.pick("constant", "reflect", "edge")
    most = [0, *(1 if mode != "reflect" or size > 1 else 0 for size in shape[1:])]
    before = [int(d.rng.integers(0, m + 1)) for m in most]
    after = [int(d.rng.integers(0, m + 1)) for m in most]
    out = tuple(a + s + b for a, s, b in zip(before, shape, after, strict=True))
    d.add("Pad", [x], out, pads=(0, *before, 0, *after), mode=mode, value=0.5)


def resize(d: Draft, x: str) -> None:
    c, h, w = d.shapes[x]
    scales = tuple(float(np.float32(d.pick(0.5, 0.7, 1, 1.3, 2, 2))) for _ in "hw")
    size = tuple(max(1, round(n * scale)) for n, scale in zip((h, w), scales, strict=True))
    mode = d.pick("nearest", "linear", "cubic")
    coordinates = d.pick(
        *("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"),
        *("align_corners", "asymmetric"),
    )
    d.add(
        "Resize", [x], (c, *size), size=size, scales=scales, mode=mode, coordinates=coordinates,
        nearest=d.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
        exclude_outside=mode == "cubic" and d.pick(True, False),
    )  # fmt: skip


def matmul(d: Draft, x: str) -> None:
    """Of a tensor and its own transpose, as in attention, or of a constant on either side."""
    *outer, m, k = d.shapes[x]
    if d.pick(True, False):
        size, batches = d.pick(*CHANNELS), d.pick((), *[tuple(outer)] * (len(outer) > 0))
        if d.pick(True, False):
            other = d.weight(*batches, k, size, scale=k**-0.5)
            d.add("MatMul", [x, other], (*outer, m, size))
        else:
            other = d.weight(*batches, size, m, scale=m**-0.5)
            d.add("MatMul", [other, x], (*outer, size, k))
        return
    order = (0, *range(1, len(outer) + 1), len(outer) + 2, len(outer) + 1)
    turned = d.add("Transpose", [x], (*outer, k, m), order=order)
    if turned:
        pair, out = d.pick(([x, turned], (m, m)), ([turned, x], (k, k)))
        product = d.add("MatMul", pair, (*outer, *out))
        if product:
            d.add("Softmax", [product], (*outer, *out), axis=-1)


def expand(d: Draft, x: str) -> None:
    target = tuple(d.pick(2, 3) if size == 1 else size for size in d.shapes[x])
    if target != d.shapes[x]:
        d.add("Expand", [x], target, shape=(None, *target))


def token(d: Draft, x: str) -> None:
    """A constant that every picture gets, as ViT's token of the class, joined to x or added."""
    _, *rest = shape = d.shapes[x]
    one = d.weight(*d.pick((1,), ()), *(d.pick(1, size) for size in shape))
    made = f"t{len(d.nodes)}"
    d.nodes.append(node("Expand", made, [one, "x"], made, shape=(None, *shape)))
    if d.pick(True, False) and d.add("Concat", [made, x], (2 * shape[0], *rest), axis=1):
        return
    d.add("Eltwise", [x, made], shape, function="add")


def elsewhere(d: Draft, x: str) -> None:
    """The pictures move behind the first axis, as heads and time steps go before them, and back."""
    shape, names = d.shapes[x], [x]
    order = (1, 0, *range(2, len(shape) + 1))

    def step(op: str, *others: str, **attributes) -> None:
        names.append(f"t{len(d.nodes)}")
        d.nodes.append(node(op, names[-1], [names[-2], *others], names[-1], **attributes))

    size = shape[-1]
    step("Transpose", order=order)
    for _ in range(d.pick(1, 2, 3)):
        op = d.pick("Gemm", "LayerNorm", "Softmax", "Activation", "Eltwise")
        if op == "Gemm":
            weights = d.weight(size, size, scale=size**-0.5), d.weight(size)
            step("Gemm", *weights, activation=d.activation())
        elif op == "LayerNorm":
            step("LayerNorm", d.weight(size), d.weight(size), axis=-1, epsilon=1e-2)
        elif op == "Softmax":
            step("Softmax", axis=len(shape), log=d.pick(True, False))
        elif op == "Activation":
            step("Activation", activation=Activation("swish"))
        else:
            step("Eltwise", d.weight(*d.pick((), (size,))), function=d.pick("add", "mul"))
    step("Transpose", order=order)
    d.shapes[names[-1]] = shape


Maker = Callable[[Draft, str], None]
ANY = (1, 2, 3, 4)
MAKERS: tuple[tuple[tuple[int, ...], Maker], ...] = (
    *(
        ((3,), m)
        for m in (conv, conv, conv, pool, global_pool, per_channel, lrn, resize, pad, channels)
    ),
    *((ANY, m) for m in (gemm, gemm, gemm, layer_norm, softmax, reduce, activate, prelu)),
    *((ANY, m) for m in (eltwise, eltwise, transpose, transpose, reshape, reshape, cut, take)),
    *((ANY, m) for m in (split, concat, expand, token)),
    *(((2, 3, 4), m) for m in (matmul, broadcast, elsewhere)),
    *((ANY, m) for m in (more.group_norm, more.where)),
    ((3,), more.depth_to_space),
    *(((2,), m) for m in (more.recurrent, more.recurrent)),
)
