"""Parts of JPEG files to RGB, bit for bit as libjpeg-turbo decodes them."""

import numpy as np
from numpy.typing import NDArray

from darter.kernels import _core

Window = tuple[int, int, int, int]


def decode_jpeg(data: bytes, window: Window | None = None) -> NDArray[np.uint8] | None:
    """Pixels uint8 (height, width, 3) of a JPEG, or of `window` (left, top, right, bottom) alone.

    Only the blocks that the window shows are transformed, and no byte below it is read; damage
    there goes unnoticed. One thread; the GIL is released.
    Returns None where this decoder does not apply, and where the bytes are damaged: libjpeg-turbo
    then has the word. It takes 8-bit baseline files in one scan, grey or YCbCr, with chroma at full
    size, half width, or half width and height. ValueError: the window is not inside the picture.
    Accuracy: equal to libjpeg-turbo's accurate DCT and smooth upsampling, bit for bit.
    Source: ITU-T T.81.
    """
    return _core.decode_jpeg(data, *(window or (0, 0, 0, 0)))


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a JPEG that `decode_jpeg` takes, None for others."""
    return _core.jpeg_size(data)


def check_jpeg(data: bytes) -> str | None:
    """What the compressed pixels of a JPEG of one baseline scan are, whatever its colors.

    "whole"; "extra": all are there, and more bytes before the end marker; "endless": all are there,
    and no end marker; "damaged". None for every other file.
    """
    return _core.check_jpeg(data)
