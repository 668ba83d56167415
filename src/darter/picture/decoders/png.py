"""PNG: metadata is skipped, transparent colors are compared at the file's own depth."""

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.picture.decoders.deep import Open, colors_of_deep
from darter.picture.decoders.modes import Colors, deep_grey, to_colors
from darter.picture.source import PictureError, ValueRange

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_TURNS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # texts that tell the orientation
_MOST_TEXT = 1 << 20  # what Pillow takes


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, byte after) of the complete chunks, from the length to the checksum."""
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        yield data[at + 4 : at + 8], at, end
        at = end


def prepare(data: bytes) -> bytes:
    """The file without texts, profiles and transparent colors, which `colors` reads itself.

    Raises PictureError where the checksum of a chunk is wrong that a reader must understand.
    """
    kept, last = [data[:8]], 8
    for name, at, end in _chunks(data):
        last = end
        matters = name[:1].isupper()  # so the format marks what a reader must understand
        right = zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        if matters and not right:
            raise PictureError("damaged", "the PNG file has a wrong checksum")
        if not _is_skipped(data, name, at, end):
            kept.append(data[at:end])
        if name == b"IEND":
            break
    return b"".join((*kept, data[last:]))


def _is_skipped(data: bytes, name: bytes, at: int, end: int) -> bool:
    if name == b"tRNS":
        return data[25] in (0, 2)  # grey and color; a palette's is Pillow's
    if name not in _TEXT:
        return name == b"iCCP"
    content = data[at + 8 : end - 4]
    if not content.startswith(_TURNS) or len(content) > _MOST_TEXT:
        return True
    packed = content.find(b"\x78", content.index(b"\0"))  # a zlib stream, if there is one
    if name == b"tEXt" or packed < 0:
        return False
    try:
        opened = zlib.decompressobj()
        opened.decompress(content[packed:], _MOST_TEXT)
    except zlib.error:
        return False
    return not opened.eof


def _transparent(data: bytes) -> tuple[int, ...] | None:
    """The grey or color that the file calls transparent, at its own depth."""
    depth, kind = data[24], data[25]
    for name, at, end in _chunks(data):
        count = {0: 1, 2: 3}.get(kind, 0)
        if name == b"tRNS" and count and end - at - 12 >= 2 * count:
            values = struct.unpack_from(f">{count}H", data, at + 8)
            return tuple(value & ((1 << depth) - 1) for value in values)
        if name == b"IDAT":
            break
    return None


def colors(image: "ImageFile", opened: Open, data: bytes, _: ValueRange | None) -> Colors:
    """data: the file as it was before `prepare`."""
    depth, kind = data[24], data[25]
    marked = _transparent(data)
    if depth == 16 and kind != 0:
        return colors_of_deep(image, opened, marked)
    image.load()
    if depth == 16:
        values = np.asarray(image)
        found = deep_grey(values)
        return _marked(found, None if marked is None else values == marked[0])
    found = to_colors(image)
    if marked is None:
        return found
    scale = 255 // ((1 << depth) - 1)
    return _marked(found, (found.rgb == np.array(marked) * scale).all(axis=2))


def _marked(colors: Colors, where: NDArray[np.bool_] | None) -> Colors:
    if where is None:
        return colors
    return Colors(colors.rgb, np.where(where, 0, 255).astype(np.uint8), colors.notes)
