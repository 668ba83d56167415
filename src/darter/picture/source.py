"""Bytes of a picture file, and the error of one that cannot be used."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from darter.errors import DataError
from darter.picture import formats
from darter.picture.shard_index import Member, locate

ValueRange = tuple[float, float]  # what is black and what is white
MAX_PIXELS = 100_000_000
# O_NONBLOCK: opening a pipe that nobody writes to must not wait for ever. O_BINARY: Windows.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class PictureError(DataError):
    """One picture that cannot be used; `kind` is a key of `KINDS`, `detail` the reason.

    values: its least and largest, where all that is missing is what black and white are.
    """

    def __init__(
        self, kind: str, detail: str, source: str = "", values: ValueRange | None = None
    ) -> None:
        super().__init__(f"{source}: {kind}: {detail}" if source else f"{kind}: {detail}")
        self.kind, self.detail, self.values = kind, detail, values


@contextlib.contextmanager
def named(source: str) -> Iterator[None]:
    """Let what goes wrong inside be a PictureError that names the file."""
    try:
        yield
    except PictureError as error:
        raise PictureError(error.kind, error.detail, source, error.values) from error.__cause__
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
