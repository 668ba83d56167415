"""Any picture file to upright 8-bit RGB, or a DataError that says why not."""

import contextlib
import functools
import io
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darter.errors import DataError
from darter.picture import formats
from darter.picture.jpeg import decode_jpeg
from darter.picture.quiet import quiet_pillow
from darter.picture.shard_index import Member, locate

MAX_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
# O_NONBLOCK: opening a pipe that nobody writes to must not wait for ever. O_BINARY: Windows.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 3),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


class PictureError(DataError):
    """One picture that cannot be used; `kind` is a key of `KINDS`, `detail` the reason."""

    def __init__(self, kind: str, detail: str, source: str = ""):
        super().__init__(f"{source}: {kind}: {detail}" if source else f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


@dataclass(frozen=True)
class Picture:
    """One decoded picture, upright.

    pixels: uint8 (H, W, 3), RGB, contiguous; smaller than `size` if decoded at 1/2, 1/4 or 1/8.
    notes: what was converted, keys of `KINDS`.
    format: as Pillow names it.   size: full (width, height), upright.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()
    format: str = ""
    size: tuple[int, int] = (0, 0)


def decode(
    source: Path | str | bytes, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode a picture file, or its content, to upright RGB.

    EXIF orientation is applied; CMYK, palette, transparency (on white), 16-bit (scaled, not
    clipped) and [0, 1] float are converted; of an animation the first frame is taken. Color
    profiles are ignored.
    min_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 while its short side stays >= min_side.
    max_pixels: larger pictures are refused before they are decoded.

    Raises PictureError (a DataError) for everything else, and nothing but that.
    """
    name = "" if isinstance(source, bytes) else str(source)
    with named(name):
        data = source if isinstance(source, bytes) else read(Path(source), max_pixels)
        try:
            return _decode(data, min_side, max_pixels)
        except (PictureError, MemoryError):
            raise
        except Exception as error:  # decoders raise nearly anything on hostile bytes
            raise PictureError(*_diagnose(data, error)) from error


@contextlib.contextmanager
def named(source: str) -> Iterator[None]:
    """Let what goes wrong inside be a PictureError that names the file."""
    try:
        yield
    except PictureError as error:
        raise PictureError(error.kind, error.detail, source) from error.__cause__
    except MemoryError as error:
        raise PictureError("huge", "it does not fit into memory", source) from error


def read(path: Path, max_pixels: int = MAX_PIXELS) -> bytes:
    """Content of a picture file, or of one in a pack; PictureError if it cannot be one."""
    if path.suffix.lower() in formats.RAW_EXTENSIONS:  # many are TIFFs with a tiny preview
        raise PictureError("unsupported format", "camera raw is not read; save it as JPEG or PNG")
    try:
        descriptor = os.open(path, _OPEN)
    except (FileNotFoundError, NotADirectoryError) as error:
        member = locate(path)
        if member is not None:
            return _read_member(member)
        kind = "unreadable" if path.is_symlink() else "missing"
        detail = "a link to a file that is not there" if path.is_symlink() else "no such file"
        raise PictureError(kind, detail) from error
    except (OSError, ValueError) as error:
        raise PictureError("unreadable", getattr(error, "strerror", None) or str(error)) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise PictureError("not a file", "a folder, pipe, socket or device")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > 8 * max_pixels + (64 << 20):  # 16-bit RGBA uncompressed, and metadata
            size = f"{status.st_size / 1e9:.1f} GB"
            limit = f"{max_pixels / 1e6:g} million pixels"
            raise PictureError("huge", f"the file has {size}, too much for {limit}")
        try:
            return file.read()
        except OSError as error:
            raise PictureError("unreadable", error.strerror or str(error)) from error


def _read_member(member: Member) -> bytes:
    try:
        return member.read()
    except OSError as error:
        raise PictureError("unreadable", error.strerror or str(error)) from error


def _decode(data: bytes, min_side: int | None, max_pixels: int) -> Picture:
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
    if not formats.png_is_intact(data):  # Pillow does not look at the checksums of pixels
        raise PictureError("damaged", "the PNG file has a wrong checksum")
    return _decode_with_pillow(data, max_pixels)


def _decode_with_pillow(data: bytes, max_pixels: int) -> Picture:
    from PIL import Image

    with quiet_pillow():
        try:
            image = Image.open(io.BytesIO(data), formats=_formats())
        except Image.DecompressionBombError as error:
            raise PictureError(
                "huge", f"more than the limit of {max_pixels / 1e6:g} million pixels"
            ) from error
        with image:
            check_size(*image.size, max_pixels)
            depth = _bits_per_color(image)  # known until load()
            turned_by_pillow = image.format == "TIFF" and _orientation(image) in _UPRIGHT
            image.load()
            pixels, notes = _to_rgb(image, depth)
            if _is_animated(image):
                notes = (*notes, "animated")
            if turned_by_pillow:
                notes = (*notes, "EXIF-rotated")
            height, width = pixels.shape[:2]
            picture = Picture(pixels, notes, image.format or "", (width, height))
            return _upright(picture, 1 if turned_by_pillow else _orientation(image))


@functools.cache
def _formats() -> tuple[str, ...]:
    """FORMATS that this build of Pillow has; few, as each parser is a door for hostile files."""
    from PIL import Image

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints to stderr
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """PictureError unless a picture of that size may be decoded."""
    if width * height > max_pixels:
        raise PictureError(
            "huge",
            f"{width}x{height} is {width * height / 1e6:.0f} million pixels, "
            f"the limit is {max_pixels / 1e6:g} million",
        )
    if width < 1 or height < 1:
        raise PictureError("damaged", f"its size is {width}x{height}")


def _upright(picture: Picture, orientation: int) -> Picture:
    notes, (width, height) = picture.notes, picture.size
    pixels = picture.pixels
    if orientation in _UPRIGHT:
        pixels = _UPRIGHT[orientation](pixels)
        notes = (*notes, "EXIF-rotated")
        if orientation >= 5:
            width, height = height, width
    return Picture(np.ascontiguousarray(pixels), notes, picture.format, (width, height))


def _orientation(image: Any) -> int:
    with contextlib.suppress(Exception):  # damaged EXIF: the picture itself may be fine
        return int(image.getexif().get(0x0112, 1))
    return 1


def _bits_per_color(image: Any) -> int:
    """16 where the file has 16 bits per color, though Pillow may already have cut them to 8."""
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (8,))
        return int(bits[0] if isinstance(bits, tuple) else bits)
    raw = str(image.tile[0][3]) if image.tile else ""
    return 16 if ";16" in raw or image.mode.startswith("I;16") else 8


def _is_animated(image: Any) -> bool:
    if image.format == "MPO":  # a camera's JPEG with a preview or depth map behind it
        return False
    with contextlib.suppress(Exception):  # a later frame may be damaged; the first one is read
        return bool(getattr(image, "is_animated", False))
    return False


def _to_rgb(image: Any, depth: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pixels as uint8 (H, W, 3) and the kinds of conversion."""
    from PIL import Image

    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PPM", "PNG")):
        values = np.asarray(image).astype(np.uint32)
        dark = ("dark 16-bit",) if values.max() < 8192 else ()
        return _grey(((values * 255 + 32767) // 65535).astype(np.uint8)), ("16-bit", *dark)
    if mode == "F":
        floats = np.asarray(image)
        if not (np.isfinite(floats).all() and floats.min() >= 0 and floats.max() <= 1):
            raise PictureError("unsupported pixels", "floating-point values outside [0, 1]")
        return _grey(np.rint(floats * 255).astype(np.uint8)), ("float",)
    if mode in ("I", "LAB"):
        raise PictureError("unsupported pixels", f"{depth}-bit {mode} values have no known white")
    notes: tuple[str, ...] = ("16-bit",) if depth == 16 else ()
    if mode == "P":
        notes += ("palette",)
    elif mode == "1":
        notes += ("1-bit",)
    elif mode == "CMYK":
        notes += ("CMYK",)
    elif mode in ("YCbCr", "HSV"):
        notes += ("color space",)
    if "A" in mode or "a" in mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, rgba).convert("RGB")), (*notes, "alpha")
    return np.array(image.convert("RGB")), notes


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[:, :, None], 3, axis=2)


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
