"""BMP: an alpha channel of zeros is one that nobody filled."""

from typing import TYPE_CHECKING

from darter.picture.decoders.deep import Open
from darter.picture.decoders.modes import Colors, to_colors
from darter.picture.source import ValueRange

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def colors(image: "ImageFile", _: Open, __: bytes, ___: ValueRange | None) -> Colors:
    image.load()
    found = to_colors(image)
    if found.alpha is not None and not found.alpha.any():
        return Colors(found.rgb, notes=(*found.notes, "empty alpha"))
    return found
