"""The shape of what each operation gives, for shapes it takes.

Each rule takes a node's attributes (defaults filled in) and its inputs' shapes, and returns its
outputs' shapes. Sizes are Python integers, so nothing can overflow; a rule raises ShapeError, and
whoever calls it (`infer.py`) adds which node it was.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from darter.conv import MOST_PADDING
from darter.errors import ShapeError

LARGEST_SIDE = 16_384  # pixels, of a resized picture
Dims = tuple[int, ...]
Attributes = Mapping[str, Any]


def same(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    axis = attributes.get("axis", 0)
    check_axis(axis, inputs[0])
    return [inputs[0]]


def conv(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, w, b, *residual = inputs
    image(x)
    group = attributes["group"]
    if len(w) != 4:
        raise ShapeError(f"filters must be (K, C / group, R, S), got {w}")
    if group < 1 or x[1] != w[1] * group or w[0] % group:
        raise ShapeError(f"{group} groups of {w[1]} channels and {w[0]} filters for x {x}")
    if b != w[:1]:
        raise ShapeError(f"bias must be {w[:1]}, got {b}")
    y = (x[0], w[0], *window(x[2:], w[2:], attributes))
    if residual and residual[0] != y:
        raise ShapeError(f"what is added must be {y}, got {residual[0]}")
    return [y]


def binarize(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, threshold = inputs
    image(x)
    if threshold != x[1:2]:
        raise ShapeError(f"thresholds {threshold} must be one per channel of {x}")
    return [x]


def binary_conv(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, w, *after, residual = [*inputs, None] if len(inputs) < 7 else inputs
    for each in after:
        if w is None or each != w[:1]:
            raise ShapeError(f"what follows must be one number per filter of {w}, got {each}")
    assert x is not None and w is not None
    return conv({**attributes, "group": 1}, [x, w, w[:1], *([residual] if residual else [])])


def rows_or_picture(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    _check_rows_or_picture(inputs[0])
    return [inputs[0]]


def _check_rows_or_picture(x: Dims) -> None:
    if len(x) not in (2, 4):
        raise ShapeError(f"x must be (N, C) or (N, C, H, W), got {x}")


def integer_conv(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, w, bias, scale = inputs
    if scale != w[:1]:
        raise ShapeError(f"scales must be {w[:1]}, got {scale}")
    _check_rows_or_picture(x)
    return [size[: len(x)] for size in conv(attributes, [(*x, 1, 1)[:4], w, bias])]


def integer_concat(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    for x in inputs:
        _check_rows_or_picture(x)
    return concat({"axis": 1}, inputs)


def integer_add(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    a, b = inputs
    _check_rows_or_picture(a)
    if a != b:
        raise ShapeError(f"what is added must be of one shape, got {a} and {b}")
    return [a]


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


def pool(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,) = inputs
    image(x)
    pads, kernel = attributes["pads"], attributes["kernel"]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, attributes["dilations"], strict=True)]
    if any(p >= r for p, r in zip(pads, reach * 2, strict=True)):
        raise ShapeError(f"padding {pads} must be smaller than the window {tuple(reach)}")
    return [(*x[:2], *window(x[2:], kernel, attributes))]


def global_pool(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    image(inputs[0])
    return [(*inputs[0][:2], 1, 1)]


def eltwise(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    return [broadcast(*inputs)]


def scale(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, *constants = inputs
    if len(x) < 2 or any(each != (x[1],) for each in constants):
        raise ShapeError(f"scale and shift {constants} must be one number per channel of {x}")
    return [x]


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


def resize(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), size = inputs, tuple(attributes["size"])
    image(x)
    if len(size) != 2 or not 1 <= min(size) <= max(size) <= LARGEST_SIDE:
        raise ShapeError(f"cannot resize {x} to {size}; sides are 1 to {LARGEST_SIDE}")
    return [(*x[:2], *size)]


def reduce(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,) = inputs
    axes = {check_axis(axis, x) for axis in attributes["axes"]}
    if attributes["keep_dims"]:
        return [tuple(1 if i in axes else size for i, size in enumerate(x))]
    return [tuple(size for i, size in enumerate(x) if i not in axes)]


def group_norm(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (y,) = scale(attributes, inputs)
    if attributes["groups"] < 1 or y[1] % attributes["groups"]:
        raise ShapeError(f"{attributes['groups']} groups of the channels of {y}")
    return [y]


def depth_to_space(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), (rows, columns) = inputs, attributes["square"]
    image(x)
    if min(rows, columns) < 1 or x[1] % (rows * columns):
        raise ShapeError(f"{x[1]} channels are no squares of {rows} × {columns} pixels")
    return [(x[0], x[1] // (rows * columns), rows * x[2], columns * x[3])]


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


def keep_boxes(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    boxes, scores = inputs
    if len(boxes) != 3 or len(scores) != 3 or boxes != (scores[0], scores[2], 4):
        raise ShapeError(f"boxes {boxes} as (N, P, 4) with scores {scores} as (N, C, P)")
    return [scores]


def align_regions(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, boxes = inputs
    image(x)
    if len(boxes) != 3 or boxes[0] != x[0] or boxes[2] != 4 or not boxes[1]:
        raise ShapeError(f"boxes {boxes} as (N, R, 4) of x {x}")
    rows, columns = attributes["bins"]
    if min(rows, columns) < 1:
        raise ShapeError(f"{rows} × {columns} bins in each box")
    return [(x[0], boxes[1], x[1], rows, columns)]


def recurrent(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    gates, r, bias = inputs
    count = 4 if attributes["kind"] == "lstm" else 3
    if len(gates) != 3 or r != (gates[2], gates[2] // count) or bias != r[1:] or gates[2] % count:
        raise ShapeError(f"gates {gates} of {count} kinds with r {r} and bias {bias}")
    return [(*gates[:2], r[1])]


def window(hw: Dims, kernel: Dims, attributes: Attributes) -> Dims:
    """How many windows fit on both axes."""
    strides, pads, dilations = (attributes[k] for k in ("strides", "pads", "dilations"))
    if len(kernel) != 2 or len(strides) != 2 or len(dilations) != 2 or len(pads) != 4:
        raise ShapeError(f"windows have two axes; got {kernel}, {strides}, {dilations}, {pads}")
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0:
        raise ShapeError(
            f"window {tuple(kernel)}, strides {tuple(strides)} and dilations {tuple(dilations)} "
            f"must be positive, pads {tuple(pads)} not negative"
        )
    if max(pads) > MOST_PADDING:
        raise ShapeError(f"pads {tuple(pads)} are above the limit of {MOST_PADDING}")
    counts = []
    for axis in (0, 1):
        span = hw[axis] + pads[axis] + pads[axis + 2]
        room = span - (kernel[axis] - 1) * dilations[axis] - 1
        if room < 0:
            raise ShapeError(f"the window {tuple(kernel)} exceeds {hw} with pads {tuple(pads)}")
        count = room // strides[axis] + 1
        if attributes.get("ceil") and room % strides[axis]:
            # A window that would begin in the padding behind the image is left out.
            count += count * strides[axis] < hw[axis] + pads[axis]
        counts.append(count)
    return tuple(counts)


def image(x: Dims) -> None:
    if len(x) != 4:
        raise ShapeError(f"x must be (N, C, H, W), got {x}")


def check_axis(axis: int, x: Dims) -> int:
    """The axis as a number from 0 on."""
    if not -len(x) <= axis < max(len(x), 1):
        raise ShapeError(f"there is no axis {axis} in {x}")
    return axis % max(len(x), 1)


def broadcast(*shapes: Dims) -> Dims:
    """numpy's rule: equal sizes, or one of them 1, counted from the last axis."""
    rank = max(len(shape) for shape in shapes)
    out = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        different = set(sizes) - {1}
        if len(different) > 1:
            raise ShapeError(f"shapes do not fit together: {', '.join(map(str, shapes))}")
        out.append(different.pop() if different else 1)
    return tuple(out)
