"""What several rules share: windows, axes, broadcasting, and what a picture is."""

from collections.abc import Mapping
from typing import Any

from darter.conv import MOST_PADDING
from darter.errors import ShapeError

LARGEST_SIDE = 16_384  # pixels, of a resized picture
Dims = tuple[int, ...]
Attributes = Mapping[str, Any]


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
