"""From a decoded picture to a slot of a batch: one resampling and one color matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.errors import OptionError, ShapeError
from darter.kernels import _core
from darter.kernels.enums import BORDERS, Border

Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels right and below are outside

_NO_LENS = (0.0, 0.0, 1.0, 0.0, 0.0)


def warp(
    picture: NDArray[np.uint8],
    out: NDArray[np.generic],
    *,
    homography: ArrayLike,
    color: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    lens: Sequence[float] | None = None,
    border: str = "reflect",
    fill: ArrayLike = (0, 0, 0),
    part_of: tuple[int, int, int, int] | None = None,
) -> None:
    """Resample a picture through a coordinate map, color it, clip it and write it to `out`.

    picture: uint8 (H, W, 3), C-contiguous.
    out: (3, h, w); any strides, so a slot of an NCHW or channels-last batch. float32; uint8, each
        value rounded half up (`low` and `high` must lie in 0..255); or uint16 for the bits of
        bfloat16, rounded to the nearest, ties to even.
    homography: (3, 3), output points (x, y, 1) to picture points; pixel i spans [i, i + 1).
    lens: (cx, cy, radius, k1, k2): before the homography an output point p moves to
        c + (p - c)(1 + k1 r² + k2 r⁴), r = |p - c| / radius.
    color: (3, 4), channels of the output from (r, g, b, 1) with r, g, b in 0..255.
    low, high: (3,), what each channel is clipped to.
    border: what lies outside the picture: "reflect" (mirrored once, pixel -1 being pixel 0, and
        beyond that the last mirrored pixel), "edge" or "fill" with the color `fill`.
    part_of: (width, height, left, top) where `picture` is only a part of one of that size that
        begins at (left, top). Map and border refer to the whole; `reach` says what is needed.

    Maps that only scale, shift and mirror are filtered with a triangle as wide as they minify,
    like Pillow's antialiased BILINEAR; a map onto the same pixels gives exactly those. Other maps
    are bilinear in the picture, or where they minify by more than 1.22 in a box-averaged, 8-bit
    version of it that blurs as much as that triangle. The amount is one for the whole picture, the
    root mean square of the map's steps along each axis: a strong perspective is a compromise.
    Accuracy: coordinates are right to about 1e-4 pixel (float32), weights to 1e-6; the averaged
    version rounds to whole levels. One thread; the GIL is released.

    Raises ShapeError for a wrong array, OptionError for an unknown border or a number that is not
    finite.
    """
    if border not in BORDERS:
        raise OptionError(f"warp: border must be one of {', '.join(BORDERS)}, got {border!r}")
    if lens is None:
        lens = _NO_LENS
    parts = (homography, color, low, high, lens, fill)
    numbers = np.concatenate([np.ravel(part) for part in parts], dtype=np.float64)
    if getattr(out, "dtype", None) == np.uint8:
        ends = float(np.min(low)), float(np.max(high))
        if ends[0] < 0 or ends[1] > 255:
            raise OptionError(f"warp: bytes need low and high in 0..255, got {ends}")
    try:
        whole = part_of or (picture.shape[1], picture.shape[0], 0, 0)
        _core.warp(picture, out, numbers, Border[border], whole)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        _explain(picture, out, parts)
        raise error


def reach(
    homography: ArrayLike,
    lens: Sequence[float] | None,
    border: str,
    picture: tuple[int, int],
    size: int,
) -> Box:
    """The part of a picture of (width, height) that `warp` reads for a square output of `size`."""
    numbers = np.concatenate((np.ravel(homography), lens or _NO_LENS), dtype=np.float64)
    return _core.reach(numbers, Border[border], *picture, size)


def mean_rgb(picture: NDArray[np.uint8], box: Box | None = None) -> tuple[float, float, float]:
    """Mean red, green and blue of uint8 (H, W, 3), or of a box of it, in 0..255, exactly summed."""
    try:
        return _core.mean_rgb(picture, box or (0, 0, picture.shape[1], picture.shape[0]))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        _check_picture(picture)
        raise error


def _check_picture(picture: object) -> None:
    if (
        not isinstance(picture, np.ndarray)
        or picture.dtype != np.uint8
        or picture.ndim != 3
        or picture.shape[2] != 3
        or 0 in picture.shape
        or not picture.flags.c_contiguous
    ):
        raise ShapeError(
            "warp: picture must be a C-contiguous uint8 array (H, W, 3) with pixels in it, "
            f"got {_describe(picture)}"
        )


def _explain(picture: object, out: object, parts: Sequence[ArrayLike]) -> None:
    """Raise the error that names what is wrong with the arguments of `warp`."""
    _check_picture(picture)
    if (
        not isinstance(out, np.ndarray)
        or out.dtype not in (np.float32, np.uint8, np.uint16)
        or out.ndim != 3
        or len(out) != 3
    ):
        raise ShapeError(
            "warp: out must be an array (3, h, w) of float32, uint8 or uint16 (bfloat16), "
            f"got {_describe(out)}"
        )
    names = {"homography": 9, "color": 12, "low": 3, "high": 3, "lens": 5, "fill": 3}
    for (name, size), part in zip(names.items(), parts, strict=True):
        if np.size(part) != size:
            raise ShapeError(f"warp: {name} needs {size} numbers, got {np.size(part)}")
        if not np.isfinite(np.asarray(part, np.float64)).all():
            raise OptionError(f"warp: {name} holds a number that is not finite: {part}")


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        contiguous = "" if value.flags.c_contiguous else ", not contiguous"
        return f"{value.dtype} {value.shape}{contiguous}"
    return type(value).__name__
