"""Any picture file to upright 8-bit RGB, or a DataError that says why not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darter.picture import formats
from darter.picture.decoders import decode_jpeg, decode_with_pillow
from darter.picture.source import (
    MAX_PIXELS,
    PictureError,
    ValueRange,
    check_size,
    named,
    read,
)

_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 3),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@dataclass(frozen=True)
class Picture:
    """One decoded picture, upright.

    pixels: uint8 (H, W, 3), RGB, contiguous; smaller than `size` if decoded at 1/2, 1/4 or 1/8.
    notes: what was converted or is odd, keys of `KINDS`.
    format: as Pillow names it.   size: full (width, height), upright.
    values: least and largest number in the file, where it does not say what black and white are.
    orientation: EXIF's, which was undone; 1 where the file was upright.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()
    format: str = ""
    size: tuple[int, int] = (0, 0)
    values: ValueRange | None = None
    orientation: int = 1


def decode(
    source: Path | str | bytes,
    *,
    min_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    value_range: ValueRange | None = None,
) -> Picture:
    """Decode a picture file, or its content, to upright RGB.

    Orientation (EXIF, XMP) is applied; CMYK, Lab, palette, transparency (on white) and 16 bits
    (scaled, not clipped) are converted; of an animation the first frame is taken. Color profiles
    are ignored.
    min_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 while its short side stays >= min_side.
    max_pixels: larger pictures are refused before they are decoded.
    value_range: what is black and white in files of floats or 32-bit numbers, which do not say so;
        what is beyond is cut. None reads floats in [0, 1] alone.

    Raises PictureError (a DataError) for everything else, and nothing but that.
    """
    name = "" if isinstance(source, bytes) else str(source)
    with named(name):
        data = source if isinstance(source, bytes) else read(Path(source), max_pixels)
        try:
            return _decode(data, min_side, max_pixels, value_range)
        except (PictureError, MemoryError):
            raise
        except Exception as error:  # decoders raise nearly anything on hostile bytes
            raise PictureError(*_diagnose(data, error)) from error


def _decode(
    data: bytes, min_side: int | None, max_pixels: int, value_range: ValueRange | None
) -> Picture:
    if not data:
        raise PictureError("empty", "the file has 0 bytes")
    refused = formats.refused(data)
    if refused:
        raise PictureError(*refused)
    if data.startswith(b"\xff\xd8"):
        fast = decode_jpeg(data, min_side, lambda w, h: check_size(w, h, max_pixels))
        if fast is not None:
            pixels, size, orientation, notes = fast
            return _upright(Picture(pixels, notes, "JPEG", size), orientation)
    loaded = decode_with_pillow(data, max_pixels, value_range)
    height, width = loaded.pixels.shape[:2]
    picture = Picture(loaded.pixels, loaded.notes, loaded.format, (width, height), loaded.values)
    return _upright(picture, loaded.orientation)


def _upright(picture: Picture, orientation: int) -> Picture:
    notes, (width, height) = picture.notes, picture.size
    pixels = picture.pixels
    if orientation in _UPRIGHT:
        pixels = _UPRIGHT[orientation](pixels)
        notes = (*notes, "EXIF-rotated")
        if orientation >= 5:
            width, height = height, width
    pixels = np.ascontiguousarray(pixels)
    size, known = (width, height), orientation if orientation in _UPRIGHT else 1
    return Picture(pixels, notes, picture.format, size, picture.values, known)


def _diagnose(data: bytes, error: Exception) -> tuple[str, str]:
    """Kind and reason for content that a decoder refused."""
    message = " ".join(str(error).split())[:200] or type(error).__name__
    name = formats.readable_format(data)
    if name is None:
        return "not an image", formats.describe(data)
    if formats.ends_early(data, name) or "truncated" in message.lower():
        return "truncated", f"the {name} file ends too early"
    if "cannot identify" in message:
        message = "its header makes no sense"
    return "damaged", f"the {name} file cannot be decoded: {message}"
