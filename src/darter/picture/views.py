"""The fixed set of views that a network's answers are averaged over at test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.picture.augment import check_output
from darter.picture.decode import Picture
from darter.picture.frame import Frame, matrix
from darter.picture.preprocess import resize_short
from darter.picture.warp import IMAGENET_MEAN, IMAGENET_STD, Color, Warp, apply, finish

_CORNERS = {
    "top left": (0.0, 0.0),
    "top right": (1.0, 0.0),
    "bottom left": (0.0, 1.0),
    "bottom right": (1.0, 1.0),
    "middle": (0.5, 0.5),
}
PLACES = tuple(_CORNERS)


@dataclass(frozen=True)
class Views:
    """Ten crops at each scale: four corners and the middle, and their mirror images.

    size: side of each crop.   scales: pixels of the short side that the picture is resized to; a
    picture that is smaller is enlarged to it, so that every crop lies within the picture.
    places: which of PLACES are cut out.   mirrored: their mirror images, too.
    Calling it with a picture (uint8 (H, W, 3)) gives float32 (len(views), 3, size, size): scale by
    scale, at each one top left, top right, bottom left, bottom right, middle, then their mirrors.
    Source: He et al., arXiv:1512.03385 (fully convolutional there); 10 crops: AlexNet.
    """

    size: int = 224
    scales: tuple[int, ...] = (224, 256, 384, 480, 640)
    mean: Color = IMAGENET_MEAN
    std: Color = IMAGENET_STD
    places: tuple[str, ...] = PLACES
    mirrored: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        check_output(self.size, self.mean, self.std)
        if not self.scales or min(self.scales) < self.size:
            raise OptionError(
                f"views: every scale must be at least the crop's {self.size} pixels, "
                f"got {self.scales}"
            )
        if not self.places or not set(self.places) <= set(PLACES):
            raise OptionError(f"views: places are of {', '.join(PLACES)}, got {self.places}")

    def __len__(self) -> int:
        return len(self.scales) * len(self.places) * (1 + self.mirrored)

    @property
    def min_side(self) -> int:
        """Short side in pixels that pictures need, for `decode`."""
        return max(self.scales)

    def warps(self, picture: tuple[int, int]) -> tuple[Warp, ...]:
        """All warps for a picture of (width, height)."""
        return tuple(
            self._warp(picture, scale, corner, mirrored)
            for scale in self.scales
            for mirrored in (False, True)[: 1 + self.mirrored]
            for corner in self.places
        )

    def _warp(self, picture: tuple[int, int], scale: int, corner: str, mirrored: bool) -> Warp:
        frame = Frame(*picture)
        resize_short(frame, scale)
        across, down = _CORNERS[corner]
        x, y = frame.width - self.size, frame.height - self.size
        frame.crop(round(across * x), round(down * y), self.size, self.size)
        if mirrored:
            frame.move(matrix(-1, 0, self.size, 0, 1, 0))
        frame.steps.append(f"short side {scale}, {corner}{', mirrored' if mirrored else ''}")
        return finish(frame, self.size, "center", picture, mean=self.mean, std=self.std)

    def __call__(self, picture: NDArray[np.uint8] | Picture) -> NDArray[np.float32]:
        pixels = picture.pixels if isinstance(picture, Picture) else picture
        out = np.empty((len(self), 3, self.size, self.size), np.float32)
        for warp, slot in zip(self.warps((pixels.shape[1], pixels.shape[0])), out, strict=True):
            apply(pixels, warp, slot)
        return out


def views(
    size: int = 224, scales: tuple[int, ...] = (224, 256, 384, 480, 640), **rest: Any
) -> Views:
    """The fixed views of test time: 5 scales × 5 places × 2 mirror images = 50 by default."""
    return Views(size, scales, **rest)
