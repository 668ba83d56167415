"""Products of matrices, and what runs along a sequence."""

from darter.errors import ShapeError
from darter.net.shapes.checks import Attributes, Dims, broadcast


def gemm(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, w, b, *residual = inputs
    if len(w) != 2 or len(x) < 2 or x[-1] != w[1]:
        raise ShapeError(f"x {x} must end in the {w[-1] if w else 0} columns of w {w}")
    if b != w[:1]:
        raise ShapeError(f"bias must be {w[:1]}, got {b}")
    y = (*x[:-1], w[0])
    if residual and residual[0] != y:
        raise ShapeError(f"what is added must be {y}, got {residual[0]}")
    return [y]


def matmul(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    a, b = inputs
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ShapeError(f"cannot multiply {a} by {b}")
    return [(*broadcast(a[:-2], b[:-2]), a[-2], b[-1])]


def recurrent(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    gates, r, bias = inputs
    count = 4 if attributes["kind"] == "lstm" else 3
    if len(gates) != 3 or r != (gates[2], gates[2] // count) or bias != r[1:] or gates[2] % count:
        raise ShapeError(f"gates {gates} of {count} kinds with r {r} and bias {bias}")
    return [(*gates[:2], r[1])]
