"""What joins, cuts, chooses and reorders."""

from math import prod

from darter.conv import MOST_PADDING
from darter.errors import ShapeError
from darter.net.shapes.checks import Attributes, Dims, broadcast, check_axis
from darter.net.shapes.elementwise import check_rows_or_picture


def concat(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    if not inputs:
        raise ShapeError("nothing to join")
    first, axis = inputs[0], check_axis(attributes["axis"], inputs[0])
    for other in inputs[1:]:
        if len(other) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(first, other, strict=True)) if i != axis
        ):
            raise ShapeError(f"cannot join {first} and {other} along axis {axis}")
    return [(*first[:axis], sum(x[axis] for x in inputs), *first[axis + 1 :])]


def integer_concat(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    for x in inputs:
        check_rows_or_picture(x)
    return concat({"axis": 1}, inputs)


def split(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), sizes = inputs, attributes["sizes"]
    axis = check_axis(attributes["axis"], x)
    if sum(sizes) != x[axis] or min(sizes, default=0) < 1:
        raise ShapeError(f"cannot split axis {axis} of {x} into {tuple(sizes)}")
    return [(*x[:axis], size, *x[axis + 1 :]) for size in sizes]


def slice_(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,) = inputs
    axis = check_axis(attributes["axis"], x)
    start, stop, step = attributes["start"], attributes["stop"], attributes["step"]
    if not (0 <= start < stop <= x[axis] and step >= 1):
        raise ShapeError(f"cannot take {start}:{stop}:{step} of axis {axis} of {x}")
    return [(*x[:axis], len(range(start, stop, step)), *x[axis + 1 :])]


def channels(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    sources = attributes["sources"]
    first = inputs[0] if inputs else ()
    around = (first[:1], first[2:])
    if len(first) < 2 or any(len(x) != len(first) or (x[:1], x[2:]) != around for x in inputs):
        raise ShapeError(f"cannot choose channels of {inputs}")
    if not all(0 <= i < len(inputs) and 0 <= channel < inputs[i][1] for i, channel in sources):
        raise ShapeError(f"a channel is chosen that {inputs} do not have")
    return [(first[0], len(sources), *first[2:])]


def take(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), places = inputs, attributes["places"]
    axis = check_axis(attributes["axis"], x)
    if not places or not 0 <= min(places) <= max(places) < x[axis]:
        raise ShapeError(f"cannot take {len(places)} places of axis {axis} of {x}")
    return [(*x[:axis], len(places), *x[axis + 1 :])]


def reshape(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), target = inputs, tuple(attributes["shape"])
    y = _with_rest(x, target)
    if min(y, default=1) < 0 or prod(y) != prod(x):
        raise ShapeError(f"cannot reshape {x} to {y}")
    return [y]


def _with_rest(x: Dims, target: tuple[int | None, ...]) -> Dims:
    """The shape with the size that is left in place of None."""
    known = prod(size for size in target if size is not None)
    left = prod(x) // known if known else 0
    return tuple(left if size is None else size for size in target)


def transpose(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), order = inputs, attributes["order"]
    if sorted(order) != list(range(len(x))):
        raise ShapeError(f"cannot order the axes of {x} as {tuple(order)}")
    return [tuple(x[axis] for axis in order)]


def expand(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, *like = inputs
    target = tuple(attributes["shape"])
    if like:
        return [broadcast(x, tuple(like[0][0] if size is None else size for size in target))]
    offset = len(x) - len(target)
    sizes = (x[i + offset] if s is None and i + offset >= 0 else s for i, s in enumerate(target))
    return [broadcast(x, tuple(0 if size is None else size for size in sizes))]


def pad(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), pads = inputs, attributes["pads"]
    if len(pads) != 2 * len(x):
        raise ShapeError(f"{len(pads)} pads for {x}, expected {2 * len(x)}")
    if max(pads, default=0) > MOST_PADDING:
        raise ShapeError(f"pads {tuple(pads)} are above the limit of {MOST_PADDING}")
    before, after = pads[: len(x)], pads[len(x) :]
    y = tuple(b + size + a for b, size, a in zip(before, x, after, strict=True))
    kept = (min(b, 0) + size + min(a, 0) for b, size, a in zip(before, x, after, strict=True))
    if min(kept, default=1) < 1:
        raise ShapeError(f"padding {tuple(pads)} leaves nothing of {x}")
    if attributes["mode"] == "reflect" and any(
        max(b, a) >= size for b, a, size in zip(before, after, x, strict=True)
    ):
        raise ShapeError(f"cannot reflect {tuple(pads)} pixels of {x}")
    return [y]


def gather_along(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, places = inputs
    axis = check_axis(attributes["axis"], x) % len(x)
    if (
        len(places) != len(x)
        or not x[axis]
        or any(a != b for k, (a, b) in enumerate(zip(x, places, strict=True)) if k != axis)
    ):
        raise ShapeError(f"places {places} along axis {axis} of {x}")
    return [places]
