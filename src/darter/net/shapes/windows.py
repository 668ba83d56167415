"""What slides a window over pictures, or makes other pictures of them."""

from darter.errors import ShapeError
from darter.net.shapes.checks import LARGEST_SIDE, Attributes, Dims, image, window
from darter.net.shapes.elementwise import check_rows_or_picture


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


def integer_conv(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    x, w, bias, scale = inputs
    if scale != w[:1]:
        raise ShapeError(f"scales must be {w[:1]}, got {scale}")
    check_rows_or_picture(x)
    return [size[: len(x)] for size in conv(attributes, [(*x, 1, 1)[:4], w, bias])]


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


def resize(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), size = inputs, tuple(attributes["size"])
    image(x)
    if len(size) != 2 or not 1 <= min(size) <= max(size) <= LARGEST_SIDE:
        raise ShapeError(f"cannot resize {x} to {size}; sides are 1 to {LARGEST_SIDE}")
    return [(*x[:2], *size)]


def depth_to_space(attributes: Attributes, inputs: list[Dims]) -> list[Dims]:
    (x,), (rows, columns) = inputs, attributes["square"]
    image(x)
    if min(rows, columns) < 1 or x[1] % (rows * columns):
        raise ShapeError(f"{x[1]} channels are no squares of {rows} × {columns} pixels")
    return [(x[0], x[1] // (rows * columns), rows * x[2], columns * x[3])]


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
