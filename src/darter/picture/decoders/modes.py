"""Pillow's pixel modes to 8-bit RGB and transparency: one row per mode."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.picture.source import PictureError, ValueRange

if TYPE_CHECKING:
    import PIL.Image

DARK = 8192  # 16-bit values below: an eighth of the range


@dataclass(frozen=True)
class Colors:
    """rgb: uint8 (H, W, 3).   alpha: uint8 (H, W), None where all is opaque.

    notes: keys of `KINDS`.   values: least and largest of pixels without a known black and white.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    values: ValueRange | None = None

    def on_white(self) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), rounded as Pillow lays one picture on another."""
        if self.alpha is None:
            return self.rgb
        from PIL import Image

        rgba = Image.fromarray(np.dstack((self.rgb, self.alpha)), "RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, rgba).convert("RGB"))


def to_colors(image: "PIL.Image.Image") -> Colors:
    """Any mode whose black and white are known."""
    mode = image.mode
    if mode not in _MODES:
        raise PictureError("unsupported pixels", f"pixels of the mode {mode} are not read")
    note, convert = _MODES[mode]
    colors = convert(image)
    notes = (note,) if note else ()
    return Colors(colors.rgb, colors.alpha, notes)


def grey(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) as (H, W, 3)."""
    return np.repeat(values[:, :, None], 3, axis=2)


def to_8_bits(values: NDArray[Any], white: int = 65535) -> NDArray[np.uint8]:
    """Whole numbers from 0 to `white` to 0..255, rounded to the nearest."""
    return ((values.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def deep_grey(values: NDArray[Any], white: int = 65535) -> Colors:
    """Grey of more than 8 bits, (H, W)."""
    dark = ("dark 16-bit",) if values.max() < DARK * (white + 1) // 65536 else ()
    return Colors(grey(to_8_bits(values, white)), notes=("16-bit", *dark))


def measured(values: NDArray[Any], value_range: ValueRange | None, inverted: bool) -> Colors:
    """Grey of numbers whose black and white only a data set tells, (H, W).

    Without a range, floats in [0, 1] are read as such; a PictureError gives the values of others.
    """
    if not np.isfinite(values).all():
        raise PictureError("unsupported pixels", "floating-point values that are no numbers")
    found = float(values.min()), float(values.max())
    whole = np.issubdtype(values.dtype, np.integer)
    if value_range is None and (whole or found[0] < 0 or found[1] > 1):
        raise PictureError(
            "unsupported pixels",
            f"values from {found[0]:g} to {found[1]:g} have no known black and white; training "
            "measures one range over all pictures and keeps it in the model",
            values=found,
        )
    black, white = value_range or (0.0, 1.0)
    shares = (values.astype(np.float64) - black) / ((white - black) or 1.0)
    scaled = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    beyond = ("beyond the range",) if found[0] < black or found[1] > white else ()
    name = "float" if value_range is None else "measured range"
    return Colors(grey(255 - scaled if inverted else scaled), None, (name, *beyond), found)


def _rgb(image: "PIL.Image.Image") -> Colors:
    if "transparency" in image.info:
        return _rgba(image)
    return Colors(np.array(image.convert("RGB")))


def _rgba(image: "PIL.Image.Image") -> Colors:
    rgba = np.array(image.convert("RGBA"))
    return Colors(rgba[:, :, :3], rgba[:, :, 3])


def _associated(image: "PIL.Image.Image") -> Colors:
    return _rgba(image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode]))


def _lab(image: "PIL.Image.Image") -> Colors:
    """CIE L*a*b* of white D50 to sRGB. Source: IEC 61966-2-1, with Bradford's adaptation."""
    rows = np.asarray(image)  # L 0..255, a and b with their sign in two's complement
    lightness, a, b = (
        (rows[..., 0].astype(np.float32) / 2.55),
        rows[..., 1].astype(np.int8).astype(np.float32),
        rows[..., 2].astype(np.int8).astype(np.float32),
    )
    y = (lightness + 16) / 116
    f = np.stack((y + a / 500, y, y - b / 200), axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE_D50
    linear = np.clip(xyz @ _RGB_OF_XYZ_D50.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Colors(np.rint(curved * 255).astype(np.uint8))


_WHITE_D50 = np.array([0.9642, 1.0, 0.8249], np.float32)
_RGB_OF_XYZ_D50 = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ],
    np.float32,
)
_MODES: dict[str, tuple[str, Callable[["PIL.Image.Image"], Colors]]] = {
    "1": ("1-bit", _rgb),
    "L": ("", _rgb),
    "P": ("palette", _rgb),
    "RGB": ("", _rgb),
    "RGBX": ("", _rgb),
    "RGBA": ("", _rgba),
    "LA": ("", _rgba),
    "PA": ("palette", _rgba),
    "La": ("", _associated),
    "RGBa": ("", _associated),
    "CMYK": ("CMYK", _rgb),
    "YCbCr": ("color space", _rgb),
    "HSV": ("color space", _rgb),
    "LAB": ("color space", _lab),
}
