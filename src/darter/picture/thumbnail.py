"""A small JPEG of a picture, to be shown on a page."""

import io
from pathlib import Path

from darter.picture.decode import decode


def thumbnail(source: Path | str | bytes, side: int = 160, *, quality: int = 82) -> bytes:
    """The picture as a JPEG whose long side has at most `side` pixels.

    Raises PictureError where the file cannot be read.
    """
    from PIL import Image

    image = Image.fromarray(decode(source, min_side=side).pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()
