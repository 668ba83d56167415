"""JPEG: libjpeg-turbo at full, half, quarter or eighth size, and what is damage and what is not."""

import contextlib
import re
from collections.abc import Callable

import numpy as np

from darter import kernels

Fast = tuple[np.ndarray, tuple[int, int], int, tuple[str, ...]]


def decode_jpeg(
    data: bytes, min_side: int | None, check_size: Callable[[int, int], None]
) -> Fast | None:
    """(pixels not yet upright, upright full size not applied, orientation, notes).

    None where Pillow must look: CMYK, unusual subsampling, a damaged header.
    check_size(width, height) raises before anything is decoded.
    A warning of libjpeg is no damage of itself: `check_jpeg` looks at the compressed pixels.
    """
    import simplejpeg

    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except (ValueError, KeyError):
        return None
    check_size(width, height)
    if colorspace in ("CMYK", "YCCK"):
        return None
    factor = scale_factor((width, height), min_side)
    size = {"min_width": -(-width // factor), "min_height": -(-height // factor)}
    notes: tuple[str, ...] = ()
    try:
        pixels = simplejpeg.decode_jpeg(data, min_factor=factor, **size)
    except ValueError as error:
        whole, notes = _judged(data, error)
        pixels = simplejpeg.decode_jpeg(whole, min_factor=factor, strict=False, **size)
    return pixels, (width, height), orientation(data), notes


_ODD = {"whole": "odd JPEG header", "extra": "extra bytes", "endless": "no end marker"}
_END = b"\xff\xd9"


def _judged(data: bytes, warning: ValueError) -> tuple[bytes, tuple[str, ...]]:
    """What to decode where libjpeg warned, and what is odd; the warning itself for damage."""
    state = kernels.check_jpeg(data)
    # Of progressive files, and those of several scans, the first warning is all that is known;
    # after this one there is nothing more to read.
    if state is None and "extraneous bytes before marker 0xd9" in str(warning):
        state = "extra"
    if state not in _ODD:
        raise warning
    return data + _END[: 2 * (state == "endless")], (_ODD[state],)


def careful(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """What Pillow is to decode, and what is odd. Pillow tells nobody of damaged pixels: this does,
    by a ValueError."""
    import simplejpeg

    state = kernels.check_jpeg(data)
    if state == "damaged":
        raise ValueError("its compressed pixels are damaged")
    if state is None:
        with contextlib.suppress(KeyError):  # a sampling that simplejpeg does not know
            try:
                colors = simplejpeg.decode_jpeg_header(data)[2]
            except ValueError:
                return data, ()
            simplejpeg.decode_jpeg(data, "CMYK" if colors in ("CMYK", "YCCK") else "RGB")
    if state in ("extra", "endless"):
        return data + _END[: 2 * (state == "endless")], (_ODD[state],)
    return data, ()


def scale_factor(size: tuple[int, int], min_side: int | None) -> int:
    """8, 4, 2 or 1: what a picture is shrunk by while its short side stays >= min_side."""
    if min_side is None:
        return 1
    return next((f for f in (8, 4, 2) if min(size) >= f * min_side), 1)


def _segments(data: bytes):
    """(marker, content) of the segments before the pixels."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        if marker == 0xDA:
            return
        at += 2 + length


_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def orientation(data: bytes) -> int:
    """How EXIF, or else XMP, says that the picture is turned, 1 to 8; 1 is upright."""
    if data.find(b"Exif\0\0", 0, 1 << 17) < 0 and data.find(_XMP, 0, 1 << 18) < 0:
        return 1
    from PIL import Image

    by_xmp = 1
    for marker, content in _segments(data):
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            with contextlib.suppress(Exception):  # damaged EXIF: the picture itself may be fine
                exif = Image.Exif()
                exif.load(content)
                if 0x0112 in exif:
                    return int(exif[0x0112])
        if marker == 0xE1 and content.startswith(_XMP):
            found = re.search(rb'tiff:Orientation(="|>)([0-9])', content)
            by_xmp = int(found[2]) if found else by_xmp
    return by_xmp
