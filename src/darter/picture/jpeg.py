"""The fast path for JPEG: libjpeg-turbo at full, half, quarter or eighth size."""

import contextlib
from collections.abc import Callable

import numpy as np

Fast = tuple[np.ndarray, tuple[int, int], int, tuple[str, ...]]


def decode_jpeg(
    data: bytes, min_side: int | None, check_size: Callable[[int, int], None]
) -> Fast | None:
    """(pixels not yet upright, upright full size not applied, EXIF orientation, notes).

    None where Pillow must look: CMYK, unusual subsampling, a damaged header.
    Every warning of libjpeg counts as damage: what it warns of shows as grey or shifted blocks.
    check_size(width, height) raises before anything is decoded.
    """
    import simplejpeg

    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
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
        if "Premature end" not in str(error) or _is_progressive(data):
            raise
        # Where only the end marker is missing, a baseline JPEG is whole once it has one.
        pixels = simplejpeg.decode_jpeg(data + b"\xff\xd9", min_factor=factor, **size)
        notes = ("no end marker",)
    return pixels, (width, height), orientation(data), notes


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


def _is_progressive(data: bytes) -> bool:
    return any(marker == 0xC2 for marker, _ in _segments(data))


def orientation(data: bytes) -> int:
    """How EXIF says that the picture is turned, 1 to 8; 1 is upright."""
    if data.find(b"Exif\0\0", 0, 1 << 17) < 0:
        return 1
    from PIL import Image

    for marker, content in _segments(data):
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            with contextlib.suppress(Exception):  # damaged EXIF: the picture itself may be fine
                exif = Image.Exif()
                exif.load(content)
                return int(exif.get(0x0112, 1))
    return 1
