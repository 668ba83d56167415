"""TIFF: the meaning of its numbers is taken from its own tags."""

import struct
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.picture.decoders.deep import (
    Open,
    colors_of,
    colors_of_deep,
    raw_mode,
    with_raw_mode,
)
from darter.picture.decoders.modes import (
    Colors,
    deep_grey,
    measured,
    to_colors,
)
from darter.picture.source import PictureError, ValueRange

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile
    from PIL.TiffImagePlugin import TiffImageFile

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA, _FORMAT = 258, 262, 277, 284, 338, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2
# libtiff gives the computer's own byte order, whatever the file's is.
_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF", "I;16R": "I;16N"}


def prepare(data: bytes) -> bytes:
    """Grey beyond 8 bits, or signed, with white 0 as with black 0: Pillow does not turn it, nor
    read all of it."""
    try:
        place, order = _place_of(data, _PHOTOMETRIC), _order(data)
        white_is_zero = _short(data, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO
        plain = _short(data, _BITS, 1) <= 8 and _short(data, _FORMAT, 1) == 1
    except struct.error:
        return data
    if place is None or not white_is_zero or plain:
        return data
    return data[:place] + struct.pack(f"{order}H", 1) + data[place + 2 :]


def _short(data: bytes, tag: int, default: int) -> int:
    place = _place_of(data, tag)
    if place is None:
        return default
    return int(struct.unpack_from(f"{_order(data)}H", data, place)[0])


def _order(data: bytes) -> str:
    return "<" if data[:1] == b"I" else ">"


def _place_of(data: bytes, tag: int) -> int | None:
    """Where the first value of a tag of the first page stands, if it fits into the tag itself."""
    order = _order(data)
    big = data[2:4] in (b"+\0", b"\0+")
    first = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)[0]
    count = struct.unpack_from(f"{order}Q" if big else f"{order}H", data, first)[0]
    step, begin = (20, first + 8) if big else (12, first + 2)
    for entry in range(begin, min(begin + step * min(count, 4096), len(data) - step), step):
        if struct.unpack_from(f"{order}H", data, entry)[0] == tag:
            return entry + step - (8 if big else 4)
    return None


def colors(image: "ImageFile", opened: Open, data: bytes, value_range: ValueRange | None) -> Colors:
    """data: the file as it was before `prepare`."""
    from PIL.TiffImagePlugin import TiffImageFile

    assert isinstance(image, TiffImageFile)
    tags = image.tag_v2
    bits = max(tags.get(_BITS, (1,)))
    place = _place_of(data, _PHOTOMETRIC)
    inverted = place is not None and data[place : place + 2] == b"\0\0"
    signed = _SIGNED in tags.get(_FORMAT, (1,))
    if image.mode in ("LA", "La", "PA") and tags.get(_PLANAR, 1) == 2:
        raise PictureError(  # Pillow puts the alpha elsewhere
            "unsupported pixels", "one color and alpha in separate planes are not read"
        )
    _mend(image)
    if bits == 16 and image.mode in ("RGB", "RGBA", "CMYK"):
        raw = raw_mode(image)
        if tags.get(_PLANAR, 1) == 2 and image.tile[0].codec_name == "raw":
            associated = image.mode == "RGBA" and tags.get(_EXTRA) == (1,)
            mode = "RGBa" if associated else image.mode
            return colors_of(_planes(image, opened), mode)
        if ";16" in raw and tags.get(_PLANAR, 1) == 1:
            return colors_of_deep(image, opened)
    image.load()
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        white = (1 << bits) - 1
        return deep_grey(white - values if inverted else values, white)
    if image.mode == "I":
        values = np.asarray(image)
        return measured(values if signed else values.view(np.uint32), value_range, inverted)
    if image.mode == "F":
        return measured(np.asarray(image), value_range, inverted)
    if image.mode == "L" and signed:
        return measured(np.asarray(image).view(np.int8), value_range, inverted)
    return to_colors(image)


def _mend(image: "TiffImageFile") -> None:
    """Let Pillow read big-endian numbers that libtiff has turned round already."""
    if image.tile[0].codec_name == "libtiff":
        raw = raw_mode(image)
        image.tile = [with_raw_mode(tile, _NATIVE.get(raw, raw)) for tile in image.tile]


def _planes(image: "TiffImageFile", opened: Open) -> NDArray[np.uint16]:
    """uint16 (H, W, channels) of uncompressed planes, which Pillow takes for 8 bits each."""
    count = len(image.mode)
    each = len(image.tile) // image.tag_v2.get(_SAMPLES, count)  # planes may be more than are used
    raw = "I;16" if image.tag_v2.prefix == b"II" else "I;16B"
    planes = []
    for number in range(count):
        plane = opened()
        plane._mode = "I;16"
        tiles = plane.tile[number * each : (number + 1) * each]
        plane.tile = [with_raw_mode(tile, raw) for tile in tiles]
        plane.load()
        planes.append(np.asarray(plane))
    return np.stack(planes, axis=2)
