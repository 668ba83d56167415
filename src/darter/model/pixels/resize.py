"""The resize rule (docs/resize.md) as ONNX nodes: a decoded picture of any size to a net's input.

Along each axis an output pixel k looks at `scale * (k + 0.5) + offset` of the picture through a
triangle as wide as the picture is made smaller. For all k that is a matrix; the picture is
multiplied by one for its rows and one for its columns. Weights are computed in float64, as darter's
own are.
"""

from typing import NamedTuple

import numpy as np

from darter.model.pixels.nodes import Nodes
from darter.picture import Preprocess


class Look(NamedTuple):
    """Where output pixels look along one axis: names of float64 scalars."""

    scale: str
    offset: str


def images_of(nodes: Nodes, pixels: str, preprocess: Preprocess) -> str:
    """Nodes from uint8 (H, W, 3), any H and W, to float32 (1, C, height, width), normalized."""
    shape = nodes("Shape", pixels)
    sides = [  # of the picture: height, width
        nodes.cast(nodes("Gather", shape, nodes.constant(axis, np.int64)), np.float64)
        for axis in (0, 1)
    ]
    looks = looks_of(nodes, sides, preprocess)
    fill = preprocess.warp((1, 1)).fill if preprocess.crop == "pad" else np.zeros(3)
    rows, columns = (
        weights(nodes, look, side, count, reflect=preprocess.crop != "pad")
        for look, side, count in zip(looks, sides, preprocess.sides, strict=True)
    )
    planes = nodes("Transpose", nodes.cast(pixels, np.float32), perm=[2, 0, 1])
    fill_planes = nodes.constant(fill[:, None, None], np.float32)
    planes = nodes("Sub", planes, fill_planes)  # so that what is outside counts as 0
    planes = nodes("MatMul", nodes("MatMul", rows, planes), nodes("Transpose", columns))
    return normalized(nodes, nodes("Add", planes, fill_planes), preprocess)


def looks_of(nodes: Nodes, sides: list[str], preprocess: Preprocess) -> list[Look]:
    """The rule of `preprocess.crop` along both axes, for a picture of the sides (H, W)."""
    outputs = [nodes.constant(float(side)) for side in preprocess.sides]
    if preprocess.crop == "squash":
        zero = nodes.constant(0.0)
        return [
            Look(nodes("Div", side, out), zero) for side, out in zip(sides, outputs, strict=True)
        ]
    if preprocess.crop == "pad":
        shares = [nodes("Div", out, side) for side, out in zip(sides, outputs, strict=True)]
        share = nodes("Min", *shares)
        grown = [nodes("Mul", side, share) for side in sides]
    elif isinstance(preprocess.size, int):
        short = nodes.constant(float(preprocess.short_side))
        least = nodes("Min", *sides)
        grown = [
            nodes("Max", short, nodes("Floor", nodes("Div", nodes("Mul", short, side), least)))
            for side in sides
        ]
    else:
        shares = [nodes("Div", out, side) for side, out in zip(sides, outputs, strict=True)]
        more = nodes.constant((preprocess.resize or 1) / min(preprocess.sides))
        share = nodes("Mul", more, nodes("Max", *shares))
        grown = [
            nodes("Max", out, nodes("Round", nodes("Mul", share, side)))
            for side, out in zip(sides, outputs, strict=True)
        ]
    whole = preprocess.crop == "center"
    return [
        _middle(nodes, side, new, out, whole)
        for side, new, out in zip(sides, grown, outputs, strict=True)
    ]


def _middle(nodes: Nodes, side: str, new: str, out: str, whole: bool) -> Look:
    """The middle `out` pixels of an axis that is resized from `side` to `new`."""
    left = nodes("Div", nodes("Sub", new, out), nodes.constant(2.0))
    if whole:
        left = nodes("Round", left)
    scale = nodes("Div", side, new)
    return Look(scale, nodes("Mul", scale, left))


def weights(nodes: Nodes, look: Look, length: str, count: int, *, reflect: bool) -> str:
    """float32 (count, length): how much of each of the picture's pixels is in each output pixel.

    reflect: what lies outside is the picture mirrored at its edge; otherwise it counts as 0.
    """
    half, one, two = (nodes.constant(value) for value in (0.5, 1.0, 2.0))
    zero = nodes.constant(0.0)
    points = nodes.constant(np.arange(count)[:, None] + 0.5)
    center = nodes("Add", nodes("Mul", look.scale, points), look.offset)
    twice = nodes("Mul", two, length)
    center = nodes("Min", nodes("Max", center, nodes("Neg", length)), twice)
    reach = nodes("Min", nodes("Max", nodes("Abs", look.scale), one), length)

    def triangle(at: str) -> str:
        away = nodes("Div", nodes("Abs", nodes("Sub", at, center)), reach)
        return nodes("Max", zero, nodes("Sub", one, away))

    at = nodes("Add", nodes("Range", zero, length, one), half)
    inside = triangle(at)
    if reflect:
        mirrored = (triangle(nodes("Neg", at)), triangle(nodes("Sub", twice, at)))
        inside = nodes("Add", inside, nodes("Add", *mirrored))
    most = nodes("Add", nodes("Ceil", reach), one)
    near = nodes("Range", nodes("Neg", most), nodes("Add", most, one), one)
    every = triangle(nodes("Add", nodes("Add", nodes("Floor", center), half), near))
    return nodes.cast(nodes("Div", inside, nodes.row_sums(every)), np.float32)


def normalized(nodes: Nodes, planes: str, preprocess: Preprocess) -> str:
    """Colors 0..255 (3, h, w) to (1, C, h, w): RGB or grey, minus the mean, by the deviation."""
    mean, std = np.array(preprocess.mean), np.array(preprocess.std)
    colors_of = np.reshape(preprocess.warp((1, 1)).color, (3, 7))[: preprocess.channels, :3]
    matrix = colors_of / 255 / std[:, None]
    height, width = preprocess.sides
    colors = nodes("MatMul", nodes.constant(matrix, np.float32), nodes.reshape(planes, 3, -1))
    colors = nodes("Add", colors, nodes.constant((-mean / std)[:, None], np.float32))
    return nodes.reshape(colors, 1, preprocess.channels, height, width)
