"""What computes numbers where they are, norms, and what sums up axes."""

from darter.errors import ShapeError
from darter.net.shapes.checks import Attributes, Dims, broadcast, check_axis


def same(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    axis = attributes.get("axis", 0)
    check_axis(axis, inputs[0])
    return [inputs[0]]


def rows_or_picture(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    check_rows_or_picture(inputs[0])
    return [inputs[0]]


def check_rows_or_picture(x: Dims) -> None:
    if len(x) not in (2, 4):
        raise ShapeError(f"x must be (N, C) or (N, C, H, W), got {x}")


def integer_add(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    a, b = inputs
    check_rows_or_picture(a)
    if a != b:
        raise ShapeError(f"what is added must be of one shape, got {a} and {b}")
    return [a]


def eltwise(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    return [broadcast(*inputs)]


def scale(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, *constants = inputs
    if len(x) < 2 or any(each != (x[1],) for each in constants):
        raise ShapeError(f"scale and shift {constants} must be one number per channel of {x}")
    return [x]


def group_norm(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (y,) = scale(attributes, inputs)
    if attributes["groups"] < 1 or y[1] % attributes["groups"]:
        raise ShapeError(f"{attributes['groups']} groups of the channels of {y}")
    return [y]


def reduce(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,) = inputs
    axes = {check_axis(axis, x) for axis in attributes["axes"]}
    if attributes["keep_dims"]:
        return [tuple(1 if i in axes else size for i, size in enumerate(x))]
    return [tuple(size for i, size in enumerate(x) if i not in axes)]


def arg(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    axis = check_axis(attributes["axis"], inputs[0])
    if not inputs[0][axis]:
        raise ShapeError(f"nothing along axis {axis} of {inputs[0]}")
    return reduce({"axes": (axis,), "keep_dims": attributes["keep_dims"]}, inputs)


def top_places(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), count = inputs, attributes["count"]
    axis = check_axis(attributes["axis"], x) % len(x)
    if not 1 <= count <= x[axis]:
        raise ShapeError(f"{count} largest of the {x[axis]} along axis {axis} of {x}")
    return [(*x[:axis], count, *x[axis + 1 :])]
