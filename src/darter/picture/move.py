"""Points and boxes of a picture, moved to where a warp shows them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.picture.frame import Lens
from darter.picture.warp import Warp

NEWTON_STEPS = 12
# Of a box as (x, y) shares of its sides: corners and the middles of its edges, so that a box that
# is turned or bent stays around what was in it.
OUTLINE = np.array([(x, y) for y in (0, 0.5, 1) for x in (0, 0.5, 1) if (x, y) != (0.5, 0.5)])


def move_points(warp: Warp, points: ArrayLike) -> NDArray[np.float64]:
    """Points (..., 2) of the picture, (x, y) in pixels, as points of the warp's output."""
    inverse = np.linalg.inv(np.array(warp.homography).reshape(3, 3))
    moved = _through(inverse, np.asarray(points, np.float64))
    return moved if warp.lens is None else _out_of_lens(moved, warp.lens)


def moved_back(warp: Warp, points: ArrayLike) -> NDArray[np.float64]:
    """Points (..., 2) of the warp's output as points of the picture."""
    given = np.asarray(points, np.float64)
    given = given if warp.lens is None else _into_lens(given, warp.lens)
    return _through(np.array(warp.homography).reshape(3, 3), given)


def move_boxes(warp: Warp, boxes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (N, 4), corners x0, y0, x1, y1 of the picture, around what they hold in the output.

    Returns the boxes, cut at the output's edges, and the share (N,) of each that is still to be
    seen; a box of which nothing is left has share 0.
    """
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    points = given[:, None, :2] + OUTLINE * (given[:, None, 2:] - given[:, None, :2])
    moved = move_points(warp, points)
    whole = np.concatenate((moved.min(axis=1), moved.max(axis=1)), axis=1)
    height, width = warp.sides
    cut = np.clip(whole, 0, (width, height, width, height))
    area, left = _area(whole), _area(cut)
    shares = np.divide(left, area, out=np.zeros(len(area)), where=area > 0)
    return cut, shares


def boxes_back(warp: Warp, boxes: ArrayLike) -> NDArray[np.float64]:
    """Boxes (N, 4) of the output as boxes of the picture, cut at its edges."""
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    points = given[:, None, :2] + OUTLINE * (given[:, None, 2:] - given[:, None, :2])
    moved = moved_back(warp, points)
    width, height = warp.picture
    whole = np.concatenate((moved.min(axis=1), moved.max(axis=1)), axis=1)
    return np.clip(whole, 0, (width, height, width, height))


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _through(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    projected = points @ matrix[:, :2].T + matrix[:, 2]
    return projected[..., :2] / projected[..., 2:]


def _into_lens(points: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    center = np.array((lens.cx, lens.cy))
    square = np.sum((points - center) ** 2, axis=-1, keepdims=True) / lens.radius**2
    return center + (points - center) * (1 + lens.k1 * square + lens.k2 * square**2)


def _out_of_lens(points: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """Newton's method for the radius r of which r (1 + k1 r² + k2 r⁴) is the one given; what no
    ray through the lens meets goes to its rim."""
    center = np.array((lens.cx, lens.cy))
    far = np.linalg.norm(points - center, axis=-1, keepdims=True) / lens.radius
    rim = _rim(lens)
    radius = np.minimum(far, rim)
    for _ in range(NEWTON_STEPS):
        square = radius**2
        value = radius * (1 + lens.k1 * square + lens.k2 * square**2) - far
        slope = 1 + 3 * lens.k1 * square + 5 * lens.k2 * square**2
        radius = np.clip(radius - value / np.maximum(slope, 0.05), 0, rim)
    return center + (points - center) * np.divide(radius, far, out=np.ones_like(far), where=far > 0)


def _rim(lens: Lens) -> float:
    """The radius up to which farther out in the view is farther out in the picture; 4 at most."""
    roots = np.roots((5 * lens.k2, 3 * lens.k1, 1.0))
    squares = [root.real for root in np.atleast_1d(roots) if abs(root.imag) < 1e-9 < root.real]
    return min((4.0, *(square**0.5 for square in squares)))
