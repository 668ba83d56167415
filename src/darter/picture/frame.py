"""The frame that transforms compose into: one coordinate map and one color matrix."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError

Matrix = NDArray[np.float64]

CROPS = ("center", "squash", "pad")


class Lens(NamedTuple):
    """Radial distortion: p moves to c + (p - c)(1 + k1 r² + k2 r⁴), r = |p - c| / radius."""

    cx: float
    cy: float
    radius: float
    k1: float
    k2: float


def matrix(a: float, b: float, c: float, d: float, e: float, f: float) -> Matrix:
    """The affine map x' = a x + b y + c, y' = d x + e y + f."""
    return np.array(((a, b, c), (d, e, f), (0.0, 0.0, 1.0)))


def about(cx: float, cy: float, a: float, b: float, c: float, d: float) -> Matrix:
    """The linear map ((a, b), (c, d)) that leaves the point (cx, cy) where it is."""
    return matrix(a, b, cx - a * cx - b * cy, c, d, cy - c * cx - d * cy)


class Frame:
    """A view of a picture while transforms are applied to it, in their order.

    width, height: of the view; the next transform sees a picture of that size.
    map: (3, 3), from points of the view to points of the picture; pixel i spans [i, i + 1).
    color: (3, 7), the view's color from (r, g, b of the pixel, r, g, b of the picture's mean, 1),
        all in [0, 1]. The mean is what contrast turns around; it is taken over the part of the
        picture that the view shows, edges of the box around it included.
    """

    def __init__(
        self, width: int, height: int, components: tuple[Matrix, Matrix] | None = None
    ) -> None:
        self.width, self.height = float(width), float(height)
        self.map = np.eye(3)
        self.color = np.eye(3, 7)
        self.lens: tuple[float, float] | None = None
        self.lens_center = (0.0, 0.0)
        self.erased: list[tuple[float, float, float, float]] = []
        self.steps: list[str] = []
        self._components = components

    def components(self) -> tuple[Matrix, Matrix]:
        """Eigenvectors and eigenvalues of the training pixels, as `principal_components` gives."""
        if self._components is None:
            raise OptionError(
                "pca_noise needs the colors of the training pictures: give pixels=audit.pixels"
            )
        return self._components

    def move(self, view_to_old: Matrix) -> None:
        """See the present view through `view_to_old`; the size stays."""
        self.map = self.map @ view_to_old

    def crop(self, x: float, y: float, width: float, height: float) -> None:
        """See only a box of the present view, at the present view's scale."""
        self.move(matrix(1, 0, x, 0, 1, y))
        self.width, self.height = width, height

    def resize(self, width: float, height: float) -> None:
        """See all of the present view in width × height pixels."""
        self.move(matrix(self.width / width, 0, 0, 0, self.height / height, 0))
        self.width, self.height = width, height

    def bend(self, k1: float, k2: float, dx: float, dy: float) -> None:
        """Look through a lens whose center is off the middle by (dx, dy) of the view's size."""
        if self.lens is not None:
            raise OptionError("lens: a list of transforms can hold one lens only")
        self.lens, self.lens_center = (k1, k2), (0.5 + dx, 0.5 + dy)

    def fit(self, size: int | tuple[int, int], crop: str) -> None:
        """Bring the view to size × size pixels, or (height, width); one of that size stays."""
        height, width = sides_of(size)
        if crop == "squash" or self.width * height == self.height * width:
            self.resize(width, height)
            return
        choose = min if crop == "pad" else max
        scale = choose(width / self.width, height / self.height)
        self.resize(self.width * scale, self.height * scale)
        self.crop((self.width - width) / 2, (self.height - height) / 2, width, height)

    def finish(self, size: int | tuple[int, int], crop: str) -> Lens | None:
        """Fit the view to the output; the lens, in pixels of the output, before `map`."""
        self.fit(size, crop)
        if self.lens is None:
            return None
        height, width = sides_of(size)
        cx, cy = self.lens_center[0] * width, self.lens_center[1] * height
        k1, k2 = self.lens
        radius = math.hypot(max(cx, width - cx), max(cy, height - cy))  # r = 1 at the far corner
        zoom = 1 / max(1.0, 1 + k1 + k2)  # a barrel keeps its corners inside the view
        self.move(about(cx, cy, zoom, 0, 0, zoom))
        return Lens(cx, cy, radius, k1, k2)


def sides_of(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of an output that is told by one side, if it is square."""
    return (size, size) if isinstance(size, int) else size
