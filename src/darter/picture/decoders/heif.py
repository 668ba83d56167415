"""HEIC, which cameras of phones write: with pillow-heif, where it is installed."""

import importlib
from typing import TYPE_CHECKING

from darter.extras import install_line
from darter.picture.source import PictureError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def opened(data: bytes) -> "ImageFile":
    """A Pillow image, turned upright already. PictureError where pillow-heif is missing."""
    try:
        library = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise PictureError(
            "unsupported format",
            f"HEIC is read with pillow-heif: {install_line('heic')}, or save it as JPEG or PNG",
        ) from error
    image = library.open_heif(data, convert_hdr_to_8bit=True).to_pillow()
    image.format = "HEIC"
    image.info = {}  # pillow-heif has turned the picture; its EXIF must not turn it again
    return image
