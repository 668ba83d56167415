"""JPEG photos that are decoded only where a view shows them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darter import kernels
from darter.picture.decode import decode
from darter.picture.decoders import orientation, scale_factor
from darter.picture.source import MAX_PIXELS, ValueRange, check_size, named, read

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Encoded:
    """A JPEG file in memory.

    size: (width, height).   source: its name in errors.
    """

    content: bytes
    size: tuple[int, int]
    source: str = ""

    def decode(self, box: Box) -> NDArray[np.uint8]:
        """Pixels (H, W, 3) of a box (left, top, right, bottom), as they are in the whole picture.

        Nothing below the box is read, so that damage there goes unnoticed. Raises PictureError for
        damage above.
        """
        left, top, right, bottom = box
        with named(self.source):
            pixels = kernels.decode_jpeg(self.content, box)
            if pixels is None:  # damaged, or without end: the careful way decides
                pixels = decode(self.content).pixels[top:bottom, left:right]
            return np.ascontiguousarray(pixels)


Pixels = NDArray[np.uint8] | Encoded


def size_of(pixels: Pixels) -> tuple[int, int]:
    """(width, height)."""
    return pixels.size if isinstance(pixels, Encoded) else (pixels.shape[1], pixels.shape[0])


def open_pixels(
    source: Path | str | bytes,
    *,
    min_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    value_range: ValueRange | None = None,
) -> Pixels:
    """What `decode` gives, left encoded where parts of it can be decoded alone.

    Those are upright baseline JPEGs that `min_side` does not ask for at half size or less.
    """
    name = "" if isinstance(source, bytes) else str(source)
    with named(name):
        content = source if isinstance(source, bytes) else read(Path(source), max_pixels)
        size = kernels.jpeg_size(content)
        if size is not None:
            check_size(*size, max_pixels)
            if scale_factor(size, min_side) == 1 and orientation(content) == 1:
                return Encoded(content, size, name)
        return decode(
            content, min_side=min_side, max_pixels=max_pixels, value_range=value_range
        ).pixels
