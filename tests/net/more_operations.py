"""More nodes for `random_graphs`: what normalizes groups, compares, chooses, keeps a state."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.net.random_nodes import Draft


def group_norm(d: "Draft", x: str) -> None:
    c = d.shapes[x][0]
    groups = d.pick(*(g for g in (1, 2, 4, 5, 8, c) if c % g == 0))
    d.add(
        "GroupNorm", [x, d.weight(c), d.weight(c)], d.shapes[x], groups=groups, epsilon=1e-2
    )  # fmt: skip


def depth_to_space(d: "Draft", x: str) -> None:
    c, h, w = d.shapes[x]
    squares = [s for s in ((1, 2), (2, 1), (2, 2), (3, 1)) if c % (s[0] * s[1]) == 0]
    if squares:
        a, b = d.pick(*squares)
        shape = (c // (a * b), a * h, b * w)
        d.add("DepthToSpace", [x], shape, square=(a, b), channels_first=d.pick(True, False))


def where(d: "Draft", x: str) -> None:
    """A comparison with zero, of which no value is near, and what it chooses."""
    shape = d.shapes[x]
    far = d.add("Eltwise", [x, d.weight(*[1] * len(shape))], shape, function="mul")
    condition = d.weight(*(d.pick(size, 1) for size in shape))
    d.weights[condition] = (d.weights[condition] > 0).astype("f4")
    if far:
        pair = d.pick([x, far], [far, x])
        d.add("Where", [condition, *pair], shape)


def recurrent(d: "Draft", x: str) -> None:
    _, c = d.shapes[x]
    kind, size = d.pick("lstm", "gru", "gru_reset_after"), d.pick(1, 5, 16, 20)
    gates = (4 if kind == "lstm" else 3) * size
    product = d.add(
        "Gemm", [x, d.weight(gates, c, scale=c**-0.5), d.weight(gates)], (d.shapes[x][0], gates)
    )
    if product:
        r, bias = d.weight(gates, size, scale=0.5 * size**-0.5), d.weight(size)
        shape, backward = (d.shapes[x][0], size), d.pick(True, False)
        d.add("Recurrent", [product, r, bias], shape, kind=kind, backward=backward)


def binary(d: "Draft", x: str) -> None:
    """One or two layers of +1 and -1. Nobody else may read their bits."""
    c, h, w = d.shapes[x]
    k, side, pad = d.pick(3, 16, 40, 70), d.pick(1, 3), d.pick(0, 1)
    given = {"strides": d.pick((1, 1), (2, 1)), "pads": (pad,) * 4}
    out = [(n + 2 * pad - side) // s + 1 for n, s in zip((h, w), given["strides"], strict=True)]
    if min(out) < 1 or k * out[0] * out[1] > 6000:
        return
    bits = d.add("Binarize", [x, d.weight(c)], (c, h, w))
    filters = d.weight(k, c, side, side)
    factors = d.weight(k, scale=0.1), d.weight(k)
    if d.pick(True, False):
        inputs = [bits, filters, *factors, d.weight(k)]
        del d.shapes[bits]
        bits = d.add("BinaryConvBits", inputs, (k, *out), **given)
        filters, given = d.weight(k, k, 1, 1), {}
        factors = d.weight(k, scale=0.1), d.weight(k)
    del d.shapes[bits]
    twins = [name for name, s in d.shapes.items() if s == (k, *out)]
    added = [d.pick(*twins)] if twins and d.pick(True, False) else []
    inputs = [bits, filters, *factors, d.weight(k), d.weight(k), *added]
    d.add("BinaryConv", inputs, (k, *out), **given)
