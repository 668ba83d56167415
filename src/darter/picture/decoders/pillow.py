"""Everything that Pillow reads, with the meaning that the file gives to its numbers."""

import contextlib
import functools
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.picture import formats
from darter.picture.decoders import bmp, heif, jpeg, png, tiff
from darter.picture.decoders.deep import Open
from darter.picture.decoders.modes import Colors, deep_grey, measured, to_colors
from darter.picture.quiet import quiet_pillow
from darter.picture.source import PictureError, ValueRange, check_size

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO"),
    *("PCX", "QOI", "SGI", "TGA"),
)
Reader = Callable[["ImageFile", Open, bytes, ValueRange | None], Colors]


@dataclass(frozen=True)
class Loaded:
    """pixels: uint8 (H, W, 3), still to be turned as `orientation` (1 to 8) says.

    values: as in `Picture`.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]
    format: str
    orientation: int
    values: ValueRange | None


def decode_with_pillow(data: bytes, max_pixels: int, value_range: ValueRange | None) -> Loaded:
    """Raises PictureError where darter knows what is wrong, and whatever Pillow raises."""
    prepared = _prepared(data)
    if data.startswith(b"\xff\xd8"):
        prepared, odd = jpeg.careful(data)
    else:
        odd = ()
    with quiet_pillow(), _open(prepared, max_pixels) as image:
        # Pillow turns a TIFF while it loads it, and loads a PNG to find its EXIF.
        turned_by_pillow = image.format == "TIFF" and _orientation(image) in range(2, 9)
        reader = _READERS.get(image.format or "", _usual)
        opened = functools.partial(_open, prepared, max_pixels)
        with contextlib.ExitStack() as again:
            colors = reader(image, lambda: again.enter_context(opened()), data, value_range)
        notes = (*odd, *colors.notes)
        if colors.alpha is not None:
            notes += ("alpha",) if colors.alpha.any() else ("alpha", "wholly transparent")
        if _is_animated(image):
            notes += ("animated",)
        if turned_by_pillow:
            notes += ("EXIF-rotated",)
        orientation = 1 if turned_by_pillow else _orientation(image)
        return Loaded(colors.on_white(), notes, image.format or "", orientation, colors.values)


def _prepared(data: bytes) -> bytes:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png.prepare(data)
    return tiff.prepare(data) if data[:2] in (b"II", b"MM") else data


def _open(data: bytes, max_pixels: int) -> "ImageFile":
    from PIL import Image

    name = formats.readable_format(data)
    if name == "HEIC":
        image = heif.opened(data)
    else:
        # TGA has no mark at its beginning: nearly anything could be one.
        others = tuple(other for other in _formats() if other != "TGA")
        try:
            image = Image.open(io.BytesIO(data), formats=("TGA",) if name == "TGA" else others)
        except Image.DecompressionBombError as error:
            limit = f"more than the limit of {max_pixels / 1e6:g} million pixels"
            raise PictureError("huge", limit) from error
    try:
        width, height = image.size
        check_size(width, height, max_pixels)
    except PictureError:
        image.close()
        raise
    return image


@functools.cache
def _formats() -> tuple[str, ...]:
    """FORMATS that this build of Pillow has; few, as each parser is a door for hostile files."""
    from PIL import Image

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints to stderr
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _usual(image: "ImageFile", _: Open, data: bytes, value_range: ValueRange | None) -> Colors:
    image.load()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return deep_grey(np.asarray(image))
    if image.mode in ("I", "F"):
        return measured(np.asarray(image), value_range, False)
    colors = to_colors(image)
    if image.format == "JPEG2000" and _is_deep_jpeg2000(data):
        return Colors(colors.rgb, colors.alpha, ("16-bit", *colors.notes))
    return colors


def _is_deep_jpeg2000(data: bytes) -> bool:
    at = data.find(b"\xff\x4f\xff\x51")
    return at >= 0 and len(data) > at + 42 and (data[at + 42] & 0x7F) > 7


_READERS: dict[str, Reader] = {
    "PNG": png.colors,
    "TIFF": tiff.colors,
    "BMP": bmp.colors,
    "DIB": bmp.colors,
}


def _orientation(image: "ImageFile") -> int:
    with contextlib.suppress(Exception):  # damaged EXIF: the picture itself may be fine
        return int(image.getexif().get(0x0112, 1))
    return 1


def _is_animated(image: "ImageFile") -> bool:
    if image.format == "MPO":  # a camera's JPEG with a preview or depth map behind it
        return False
    with contextlib.suppress(Exception):  # a later frame may be damaged; the first one is read
        return bool(getattr(image, "is_animated", False))
    return False
