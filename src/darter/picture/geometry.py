"""Transforms of place: each one composes into the frame's coordinate map; no pixel is touched.

Ranges are (least, most). `p` is the chance that a transform is applied to a picture.
"""

import math
from dataclasses import Field, dataclass
from typing import Any, ClassVar

import numpy as np

from darter.errors import OptionError
from darter.picture.frame import Frame, Matrix, about, matrix
from darter.picture.ranges import Range, as_number, as_range

Draw = np.random.Generator


def between(draw: Draw, ends: Range) -> float:
    """A number drawn evenly from a range."""
    return ends[0] + (ends[1] - ends[0]) * draw.random()


def between_log(draw: Draw, ends: Range) -> float:
    """A factor drawn evenly on the logarithmic scale, so that 1/2 and 2 are equally likely."""
    return math.exp(between(draw, (math.log(ends[0]), math.log(ends[1]))))


class Transform:
    """One named step of an `Augment`; subclasses are frozen dataclasses of ranges."""

    p: float
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        """Draw from the ranges and add the step to `frame`; `size` is the output's side."""
        raise NotImplementedError

    def _set(self, option: str, value: object) -> None:
        object.__setattr__(self, option, value)

    def _check_range(self, option: str, low: float, high: float) -> None:
        name = type(self).__name__
        self._set(option, as_range(name, option, getattr(self, option), low, high))

    def _check_number(self, option: str, low: float, high: float) -> None:
        name = type(self).__name__
        self._set(option, as_number(name, option, getattr(self, option), low, high))


@dataclass(frozen=True)
class flip(Transform):
    """Mirror left and right, with chance p."""

    p: float = 0.5

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        frame.move(matrix(-1, 0, frame.width, 0, 1, 0))
        frame.steps.append("flip")


@dataclass(frozen=True)
class scale_crop(Transform):
    """ResNet's crop: draw L from `short_side`, resize the short side to L, take a random patch.

    short_side: pixels, for a patch of `size` pixels; drawn as whole numbers, ends included.
    size: side of the patch in pixels; None means the side of the output.
    """

    short_side: Range = (256, 480)
    size: int | None = None
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("short_side", 1, 100_000)
        if self.size is not None:
            self._set("size", int(as_number("scale_crop", "size", self.size, 1, 100_000)))
            self._check_patch(self.size)

    def _check_patch(self, size: int) -> None:
        if self.short_side[0] < size:
            raise OptionError(
                f"scale_crop: short_side starts at {self.short_side[0]:g}, which is less than the "
                f"patch of {size} pixels; start it at {size} or more"
            )

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        patch = self.size or size
        self._check_patch(patch)
        low, high = math.ceil(self.short_side[0]), math.floor(self.short_side[1])
        short = int(draw.integers(low, max(low, high) + 1))
        scale = short / min(frame.width, frame.height)
        frame.resize(frame.width * scale, frame.height * scale)
        x = draw.random() * (frame.width - patch)
        y = draw.random() * (frame.height - patch)
        frame.crop(x, y, patch, patch)
        frame.steps.append(f"short side {short}, patch at ({x:.1f}, {y:.1f})")


@dataclass(frozen=True)
class random_frame(Transform):
    """Nearer or farther, anywhere: for pictures with boxes, none of which is squeezed.

    scale: how much larger things become, drawn on the logarithmic scale; below 1 the picture lies
        somewhere within a larger frame.
    """

    scale: Range = (0.6, 1.8)
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("scale", 0.05, 20)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        scale = between_log(draw, self.scale)
        width, height = frame.width / scale, frame.height / scale
        x, y = draw.random() * (frame.width - width), draw.random() * (frame.height - height)
        frame.crop(x, y, width, height)
        frame.steps.append(f"{scale:.2f} times as large, from ({x:.1f}, {y:.1f})")


@dataclass(frozen=True)
class area_crop(Transform):
    """Inception's crop: a box of random area and aspect ratio, resized to the output.

    area: share of the view's area.   ratio: width / height, drawn on the logarithmic scale.
    size: side in pixels of the result; None means the side of the output.
    """

    area: Range = (0.35, 1.0)
    ratio: Range = (3 / 4, 4 / 3)
    size: int | None = None
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("area", 1e-4, 1)
        self._check_range("ratio", 0.01, 100)
        if self.size is not None:
            self._set("size", int(as_number("area_crop", "size", self.size, 1, 100_000)))

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        width, height = self._box(frame, draw)
        x = draw.random() * (frame.width - width)
        y = draw.random() * (frame.height - height)
        frame.crop(x, y, width, height)
        frame.resize(self.size or size, self.size or size)
        frame.steps.append(f"crop {width:.0f}×{height:.0f} at ({x:.1f}, {y:.1f})")

    def _box(self, frame: Frame, draw: Draw) -> tuple[float, float]:
        for _ in range(10):
            area = between(draw, self.area) * frame.width * frame.height
            ratio = between_log(draw, self.ratio)
            width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if width <= frame.width and height <= frame.height:
                return width, height
        # The view is longer than any drawn box: the largest box of an allowed ratio.
        ratio = min(max(frame.width / frame.height, self.ratio[0]), self.ratio[1])
        width = min(frame.width, frame.height * ratio)
        return width, width / ratio


@dataclass(frozen=True)
class translate(Transform):
    """Shift by shares of the view's width and height."""

    x: Range = (-0.1, 0.1)
    y: Range = (-0.1, 0.1)
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("x", -1, 1)
        self._check_range("y", -1, 1)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        dx = between(draw, self.x) * frame.width
        dy = between(draw, self.y) * frame.height
        frame.move(matrix(1, 0, -dx, 0, 1, -dy))
        frame.steps.append(f"translate ({dx:.1f}, {dy:.1f})")


@dataclass(frozen=True)
class rotate(Transform):
    """Turn about the middle; positive degrees turn counter-clockwise, as seen."""

    degrees: Range = (-10, 10)
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("degrees", -360, 360)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        degrees = between(draw, self.degrees)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        frame.move(about(frame.width / 2, frame.height / 2, cos, -sin, sin, cos))
        frame.steps.append(f"rotate {degrees:.2f}°")


@dataclass(frozen=True)
class stretch(Transform):
    """Magnify about the middle by a factor for each axis, drawn on the logarithmic scale."""

    x: Range = (0.9, 1.1)
    y: Range = (0.9, 1.1)
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("x", 0.05, 20)
        self._check_range("y", 0.05, 20)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        x, y = between_log(draw, self.x), between_log(draw, self.y)
        frame.move(about(frame.width / 2, frame.height / 2, 1 / x, 0, 0, 1 / y))
        frame.steps.append(f"stretch ({x:.3f}, {y:.3f})")


@dataclass(frozen=True)
class shear(Transform):
    """Slant about the middle by an angle for each axis."""

    x: Range = (-10, 10)
    y: Range = (0, 0)
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("x", -60, 60)
        self._check_range("y", -60, 60)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        x, y = between(draw, self.x), between(draw, self.y)
        forward = about(
            frame.width / 2,
            frame.height / 2,
            1,
            math.tan(math.radians(x)),
            math.tan(math.radians(y)),
            1,
        )
        if abs(np.linalg.det(forward)) < 0.05:  # both slants together would flatten the picture
            forward = about(frame.width / 2, frame.height / 2, 1, math.tan(math.radians(x)), 0, 1)
        frame.move(np.linalg.inv(forward).astype(np.float64))
        frame.steps.append(f"shear ({x:.2f}°, {y:.2f}°)")


@dataclass(frozen=True)
class perspective(Transform):
    """Look from the side: each corner moves inward by up to `strength` of the view's size."""

    strength: Range = (0.0, 0.2)
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("strength", 0, 0.45)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        strength = between(draw, self.strength)
        inward = draw.random((4, 2)) * strength
        corners = np.array(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
        moved = np.abs(corners - inward)  # corners at 0 move to +inward, corners at 1 to 1 - inward
        scale = np.array((frame.width, frame.height))
        frame.move(homography_through(corners * scale, moved * scale))
        frame.steps.append(f"perspective {strength:.3f}")


def homography_through(source: Matrix, target: Matrix) -> Matrix:
    """The (3, 3) homography that takes four points (4, 2) to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    solved = np.linalg.solve(np.array(rows), target.ravel())
    return np.append(solved, 1.0).reshape(3, 3)


@dataclass(frozen=True)
class lens(Transform):
    """Radial distortion: positive k bulges like a barrel, negative k is a pincushion.

    k: a point at distance r from the lens's center shows what lies at r (1 + k r²), r = 1 being
       the farthest corner. A barrel is zoomed in until that corner shows the picture's corner.
    center: the lens is off the middle by up to this share of the view's size.
    A list of transforms may hold one lens; it acts on the output, after the other steps.
    """

    k: Range = (-0.2, 0.2)
    center: float = 0.1
    p: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("k", -0.3, 1)  # below -1/3 the map folds over at the corners
        self._check_number("center", 0, 0.5)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        k = between(draw, self.k)
        dx, dy = (self.center * (2 * draw.random() - 1) for _ in range(2))
        frame.bend(k, 0.0, dx, dy)
        frame.steps.append(f"lens {k:.3f}")


@dataclass(frozen=True)
class erase(Transform):
    """Cover a random box of the output with the mean color.

    area: share of the output.   ratio: width / height, drawn on the logarithmic scale.
    """

    area: Range = (0.02, 0.2)
    ratio: Range = (0.3, 3.3)
    p: float = 0.25

    def __post_init__(self) -> None:
        self._check_number("p", 0, 1)
        self._check_range("area", 0, 1)
        self._check_range("ratio", 0.01, 100)

    def compose(self, frame: Frame, draw: Draw, size: int) -> None:
        area, ratio = between(draw, self.area), between_log(draw, self.ratio)
        width, height = min(1.0, math.sqrt(area * ratio)), min(1.0, math.sqrt(area / ratio))
        x, y = draw.random() * (1 - width), draw.random() * (1 - height)
        frame.erased.append((x, y, x + width, y + height))
        frame.steps.append(f"erase {width:.2f}×{height:.2f} at ({x:.2f}, {y:.2f})")
