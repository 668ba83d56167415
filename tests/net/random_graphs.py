"""Small random graphs of every operation, on pictures, tokens and channels-last tensors alike.

    python -m tests.net.random_graphs 20000          # compare so many with the reference
    python -m tests.net.random_graphs 1 --first 417  # show graph 417

A graph is a function of its number alone. Each is run as it is and after the passes, for one or
more pictures, on one to four threads, by one of the instruction sets of this machine.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from darter.kernels import available_isas, using_isa
from darter.net import Graph, Node, Program
from darter.net.graph import needed, node
from darter.net.ops import Activation
from darter.net.passes import improve
from tests.references.net import run_graph

LARGEST = 6000  # elements of a tensor, for one picture
KINDS = ("relu", "clip", "leaky_relu", "swish", "hard_swish", "sigmoid", "gelu", "tanh")
CHANNELS = (1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 32, 40, 64)
# What one operation may err, relative to the largest value that it gives: Winograd's transforms and
# rational approximations of exp and erf come to about 16 roundings of float32.
ONE_OPERATION = 16 * 2.0**-23
LEAST = 0.05  # where all values are smaller: far out, Gelu and the like keep absolute digits
DISTURBED = 3  # runs that show how a graph amplifies such errors


@dataclass(frozen=True)
class Case:
    """graph: of `OPS`.   batch, threads, isa: how it is run."""

    graph: Graph
    batch: int
    threads: int
    isa: str


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
        return self.pick(None, None, Activation(self.pick(*KINDS), 0.1, 1.5))

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

    def graph(self) -> Graph:
        names = [n.outputs[0] for n in self.nodes]
        read = {name for n in self.nodes for name in n.inputs}
        outputs = tuple(name for name in names if name not in read) or (names[-1],)
        inputs = {"x": (None, *self.picture)}
        return needed(Graph(tuple(self.nodes), inputs, outputs, self.weights))


def conv(d: Draft, x: str) -> None:
    c, h, w = d.shapes[x]
    side = (d.pick(1, 1, 2, 3, 3, 5), d.pick(1, 3, 3))
    pads = tuple(int(d.rng.integers(0, 2 + s // 3)) for s in (*side, *side))
    stride, dilation = d.pick((1, 1), (1, 1), (2, 2), (2, 1)), d.pick((1, 1), (1, 1), (2, 2))
    group = d.pick(1, 1, 1, c) if c > 1 else 1
    k = c if group > 1 else d.pick(*CHANNELS)
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
    c, h, w = d.shapes[x]
    kernel = (d.pick(1, 2, 3), d.pick(1, 2, 3))
    if kernel[0] > h or kernel[1] > w:
        return
    strides = d.pick((1, 1), (2, 2), (2, 1))
    out = tuple((n - k) // s + 1 for n, k, s in zip((h, w), kernel, strides, strict=True))
    d.add(d.pick("MaxPool", "AveragePool"), [x], (c, *out), kernel=kernel, strides=strides)


def global_pool(d: Draft, x: str) -> None:
    d.add(d.pick("GlobalAveragePool", "GlobalMaxPool"), [x], (d.shapes[x][0], 1, 1))


def per_channel(d: Draft, x: str) -> None:
    c = d.shapes[x][0]
    if d.pick(True, False):
        d.add("Scale", [x, d.weight(c), d.weight(c)], d.shapes[x], activation=d.activation())
    else:
        d.add("ChannelNorm", [x, d.weight(c), d.weight(c)], d.shapes[x], epsilon=1e-2)


def lrn(d: Draft, x: str) -> None:
    d.add("LRN", [x], d.shapes[x], size=d.pick(1, 3, 5), alpha=0.1)


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
    d.add("Activation", [x], d.shapes[x], activation=Activation(d.pick(*KINDS), 0.1, 1.5))


def prelu(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    d.add("PRelu", [x, d.weight(shape[0], *[1] * (len(shape) - 1), scale=0.3)], shape)


def eltwise(d: Draft, x: str) -> None:
    shape = d.shapes[x]
    other = d.same_shape(x)
    if other is None or d.pick(True, False):
        part = tuple(d.pick(size, size, 1) for size in shape)
        other = d.weight(*part)
    pair = d.pick([x, other], [other, x])
    function = d.pick("add", "add", "sub", "mul", "max", "min")
    d.add("Eltwise", pair, shape, function=function, activation=d.activation())


def broadcast(d: Draft, x: str) -> None:
    """A gate: the tensor times its own mean over some axes."""
    shape = d.shapes[x]
    axes = tuple(range(2, len(shape) + 1))
    gate = d.add(
        "Reduce", [x], (shape[0], *[1] * len(axes)), function="mean", axes=axes, keep_dims=True
    )
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
    size = tuple(max(1, round(n * d.pick(0.5, 0.7, 1, 1.3, 2, 2))) for n in (h, w))
    scales = tuple(out / n for out, n in zip(size, (h, w), strict=True))
    coordinates = d.pick("half_pixel", "asymmetric", "align_corners")
    mode = d.pick("nearest", "linear", "cubic")
    if mode == "nearest" and coordinates == "align_corners":
        return  # ties fall by the last bit
    d.add(
        "Resize", [x], (c, *size), size=size, scales=scales, mode=mode, coordinates=coordinates,
        nearest="floor" if coordinates == "asymmetric" else "round_prefer_floor",
    )  # fmt: skip


def matmul(d: Draft, x: str) -> None:
    *outer, m, k = d.shapes[x]
    order = (0, *range(1, len(outer) + 1), len(outer) + 2, len(outer) + 1)
    turned = d.add("Transpose", [x], (*outer, k, m), order=order)
    if turned:
        pair, out = d.pick(([x, turned], (m, m)), ([turned, x], (k, k)))
        product = d.add("MatMul", pair, (*outer, *out))
        if product:
            d.add("Softmax", [product], (*outer, *out), axis=-1)


Maker = Callable[[Draft, str], None]
ANY = (1, 2, 3, 4)
MAKERS: tuple[tuple[tuple[int, ...], Maker], ...] = (
    *(
        ((3,), m)
        for m in (conv, conv, conv, pool, global_pool, per_channel, lrn, resize, pad, channels)
    ),
    *((ANY, m) for m in (gemm, gemm, gemm, layer_norm, softmax, reduce, activate, prelu)),
    *((ANY, m) for m in (eltwise, eltwise, transpose, transpose, reshape, reshape, cut, take)),
    *((ANY, m) for m in (split, concat)),
    *(((2, 3, 4), m) for m in (matmul, broadcast)),
)


def random_case(number: int) -> Case:
    """The case of that number, always the same one on a machine of the same instruction sets."""
    rng = np.random.default_rng([7, number])
    side = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    draft = Draft(rng, (int(rng.choice(CHANNELS)), *side))
    wanted = int(rng.integers(1, 9))
    while len(draft.nodes) < wanted:
        draft.grow()
    isas = available_isas()
    batch, threads = int(rng.choice([1, 1, 2, 3, 5])), int(rng.integers(1, 5))
    return Case(draft.graph(), batch, threads, isas[int(rng.integers(len(isas)))])


def difference(case: Case, number: int) -> float:
    """The largest error of plan and passes, as a multiple of what is allowed; above 1 is a fault.

    Allowed is three times what the outputs change where every tensor is disturbed at random by
    what one operation may err.
    """
    rng = np.random.default_rng([8, number])
    (shape,) = case.graph.inputs.values()
    x = rng.standard_normal((case.batch, *shape[1:])).astype(np.float32)
    truth = run_graph(case.graph, x)
    allowed = _allowed(case.graph, x, truth, rng)
    worst = 0.0
    for graph in (case.graph, improve(case.graph)):
        with using_isa(case.isa):
            program = Program(graph, case.batch, threads=case.threads)
            program._core.poison(np.nan)
            found = program.run(x)
        results = found if isinstance(found, list) else [found]
        for ours, exact, most in zip(results, truth, allowed, strict=True):
            if ours.shape != exact.shape or not np.isfinite(ours).all():
                return float("inf")
            worst = max(worst, float(np.abs(ours - exact).max(initial=0.0)) / most)
    return worst


def _allowed(graph: Graph, x, truth: list[np.ndarray], rng: np.random.Generator) -> list[float]:
    """For each output, the largest error that need not be a fault."""

    def disturb(value: np.ndarray) -> np.ndarray:
        size = np.abs(value).max(initial=LEAST)
        return value + ONE_OPERATION * size * rng.uniform(-1, 1, value.shape)

    most = [ONE_OPERATION * float(np.abs(exact).max(initial=LEAST)) for exact in truth]
    for _ in range(DISTURBED):
        for k, other in enumerate(run_graph(graph, x, disturb=disturb)):
            most[k] = max(most[k], 3 * float(np.abs(other - truth[k]).max(initial=0.0)))
    return most


def show(case: Case) -> str:
    """The graph in a few lines."""
    lines = [f"batch {case.batch}, {case.threads} threads, {case.isa}, inputs {case.graph.inputs}"]
    for each in case.graph.nodes:
        given = {k: v for k, v in each.attributes.items() if v is not None}
        lines.append(f"  {each.op} {', '.join(each.inputs)} -> {', '.join(each.outputs)} {given}")
    return "\n".join([*lines, f"  gives {', '.join(case.graph.outputs)}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    faults = 0
    for number in range(options.first, options.first + options.count):
        case = random_case(number)
        if options.count == 1:
            print(show(case))
        try:
            error = difference(case, number)
        except Exception as failure:
            error = float("inf")
            print(f"{number}: {type(failure).__name__}: {failure}")
        if error > 1:
            faults += 1
            print(
                f"graph {number} errs {error:.3g} times what is allowed\n{show(case)}", flush=True
            )
    print(f"{options.count} graphs, {faults} faults")
    raise SystemExit(faults > 0)


if __name__ == "__main__":
    main()
