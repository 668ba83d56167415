"""Colors of 16 bits, of which Pillow gives the upper 8: decoded twice, for either half."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.picture.decoders.modes import Colors, to_8_bits

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile, _Tile

Open = Callable[[], "ImageFile"]  # the same picture once more, not loaded
_OTHER_END = {"L": "B", "B": "L", "N": "B"}


def colors_of_deep(
    image: "ImageFile", opened: Open, marked: tuple[int, ...] | None = None
) -> Colors:
    """marked: the color that is transparent."""
    raw = raw_mode(image)
    return colors_of(_whole_samples(image, opened, raw), raw.split(";")[0], marked)


def colors_of(
    values: NDArray[np.uint16], mode: str, marked: tuple[int, ...] | None = None
) -> Colors:
    """values: (H, W, channels) of a mode of Pillow; "RGBa" is multiplied with its alpha."""
    if mode == "CMYK":
        from PIL import Image

        ink = Image.fromarray(to_8_bits(values), "CMYK")
        return Colors(np.array(ink.convert("RGB")), notes=("16-bit", "CMYK"))
    if mode == "LA":
        values = values[:, :, (0, 0, 0, 1)]
    rgb, alpha = to_8_bits(values[:, :, :3]), None
    if marked is not None:
        alpha = np.where((values == np.array(marked)).all(axis=2), 0, 255).astype(np.uint8)
    elif mode == "RGBa":  # only the white is missing
        lacking = 255 - to_8_bits(values[:, :, 3:]).astype(np.uint16)
        rgb = np.minimum(rgb + lacking, 255).astype(np.uint8)
        return Colors(rgb, notes=("16-bit", "alpha"))
    elif values.shape[2] == 4 and mode != "RGBX":
        alpha = to_8_bits(values[:, :, 3])
    return Colors(rgb, alpha, ("16-bit",))


def raw_mode(image: "ImageFile") -> str:
    """How the bytes of the file are laid out, as Pillow names it."""
    args = image.tile[0].args
    assert args is not None
    return str(args if isinstance(args, str) else args[0])


def with_raw_mode(tile: "_Tile", raw: str) -> "_Tile":
    """A part of a file, its bytes laid out as Pillow's raw mode of that name."""
    return tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw)


def _whole_samples(image: "ImageFile", opened: Open, raw: str) -> NDArray[np.uint16]:
    """uint16 (H, W, channels)."""
    if raw.startswith("LA"):  # as four channels of 8 bits
        _use(image, "RGBA", "RGBA")
        image.load()
        halves = np.asarray(image).astype(np.uint16)
        whole: NDArray[np.uint16] = halves[:, :, ::2] * 256 + halves[:, :, 1::2]
        return whole
    # What Pillow knows of associated alpha and of spare channels must not touch the halves.
    raw = raw.replace("RGBa", "RGBA").replace("RGBX", "RGBA")
    mode, low = raw.split(";")[0], opened()
    _use(image, mode, raw)
    _use(low, mode, raw[:-1] + _OTHER_END[raw[-1]])
    image.load()
    low.load()
    found: NDArray[np.uint16] = np.asarray(image).astype(np.uint16) * 256 + np.asarray(low)
    return found


def _use(image: "ImageFile", mode: str, raw: str) -> None:
    image._mode = mode
    image.tile = [with_raw_mode(tile, raw) for tile in image.tile]
