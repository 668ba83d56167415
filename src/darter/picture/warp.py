"""One drawn augmentation as a value: printable, comparable, replayable on any picture."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter import kernels
from darter.errors import ShapeError
from darter.picture.encoded import Encoded, Pixels, size_of
from darter.picture.frame import Frame, Lens, Matrix, sides_of

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Warp:
    """Where each output pixel looks in the picture, and what becomes of its color.

    size: side of the square output, or (height, width).
    picture: (width, height) that it was made for.
    homography: 9 numbers, row by row, from output points to picture points; pixel i spans
        [i, i + 1). `lens` acts on output points before it.
    color: 21 numbers, the 3×7 matrix of `Frame`.
    erased: boxes (x0, y0, x1, y1) of the output that show the mean color.
    mean, std: the normalization.   border: what lies outside the picture (`kernels.warp`).
    steps: what was drawn, in words.
    """

    size: int | tuple[int, int]
    picture: tuple[int, int]
    homography: tuple[float, ...]
    color: tuple[float, ...]
    lens: Lens | None = None
    erased: tuple[tuple[int, int, int, int], ...] = ()
    mean: Color = IMAGENET_MEAN
    std: Color = IMAGENET_STD
    border: str = "reflect"
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        (width, height), sides = self.picture, self.sides
        steps = "; ".join(self.steps) or "no change"
        return f"{width}×{height} to {sides[1]}×{sides[0]}: {steps}"

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the output."""
        return sides_of(self.size)

    @property
    def fill(self) -> NDArray[np.uint8]:
        """The mean color in 0..255: what lies outside the picture where the border is "fill"."""
        return _mean_bytes(self.mean)


def finish(
    frame: Frame, size: int | tuple[int, int], crop: str, picture: tuple[int, int], **rest
) -> Warp:
    """The Warp of a frame that all transforms have composed into."""
    lens = frame.finish(size, crop)
    height, width = sides_of(size)
    boxes = tuple(
        (round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height))
        for x0, y0, x1, y1 in frame.erased
    )
    return Warp(
        size=size,
        picture=picture,
        homography=tuple(frame.map.ravel().tolist()),
        color=tuple(frame.color.ravel().tolist()),
        lens=lens,
        erased=boxes,
        steps=tuple(frame.steps),
        **rest,
    )


def check_pixels(pixels: NDArray[np.uint8]) -> None:
    """ShapeError unless `pixels` is a uint8 picture (H, W, 3)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ShapeError(
            f"a picture must be a uint8 array (height, width, 3), got {pixels.dtype} {pixels.shape}"
        )


def apply(pixels: Pixels, warp: Warp, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Resample, color and normalize a picture in one pass.

    pixels: uint8 (H, W, 3), or a file of which only what is needed is decoded; of the size that
        the warp was made for.
    out: (3, height, width) to write to, e.g. a slot of a batch; made if None. Any strides. float32;
        uint16 for the bits of bfloat16; or uint8, which holds colors in 0..255, not normalized.
    Raises ShapeError for a picture of another size, or arrays of another shape.
    """
    if not isinstance(pixels, Encoded):
        check_pixels(pixels)
    if size_of(pixels) != warp.picture:
        raise ShapeError(
            "this warp is for a picture of {}×{} pixels, got one of {}×{}".format(
                *warp.picture, *size_of(pixels)
            )
        )
    if out is None:
        out = np.empty((3, *warp.sides), np.float32)
    color = np.array(warp.color).reshape(3, 7)
    pivots = bool(color[:, 3:6].any())
    left = top = 0
    box = None  # what the view shows
    if pivots or isinstance(pixels, Encoded):
        box = kernels.reach(warp.homography, warp.lens, warp.border, warp.picture, max(warp.sides))
    if isinstance(pixels, Encoded) and box is not None:
        left, top, right, bottom = box
        box = (0, 0, right - left, bottom - top)
        pixels = pixels.decode((left, top, max(right, left + 1), max(bottom, top + 1)))
    pixels = np.ascontiguousarray(pixels)
    mean = np.array(kernels.mean_rgb(pixels, box)) / 255 if pivots else np.zeros(3)
    colors = _BYTES if out.dtype == np.uint8 else (warp.mean, warp.std)
    scale, low, high = _normalization(*colors)
    merged = np.empty((3, 4))
    merged[:, :3] = color[:, :3] / 255
    merged[:, 3] = color[:, 3:6] @ mean + color[:, 6] - colors[0]
    merged *= scale
    fill = warp.fill
    kernels.warp(
        pixels,
        out,
        homography=warp.homography,
        color=merged,
        low=low,
        high=high,
        lens=warp.lens,
        border=warp.border,
        fill=fill,
        part_of=(*warp.picture, left, top),
    )
    for x0, y0, x1, y1 in warp.erased:  # 0 is the mean color where colors are normalized
        out[:, y0:y1, x0:x1] = fill[:, None, None] if out.dtype == np.uint8 else 0
    return out


_BYTES = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))  # mean and deviation that give 0..255


@lru_cache(maxsize=64)
def _normalization(mean: Color, std: Color) -> tuple[Matrix, Matrix, Matrix]:
    """1/std as a column, the ends of [0, 1] after normalization."""
    scale = 1 / np.array(std)
    low, high = -np.array(mean) * scale, (1 - np.array(mean)) * scale
    return scale[:, None], low, high


@lru_cache(maxsize=64)
def _mean_bytes(mean: Color) -> NDArray[np.uint8]:
    """The mean color in 0..255."""
    return np.clip(np.rint(255 * np.array(mean)), 0, 255).astype(np.uint8)
