"""Read one picture for the audit: whether it is usable, and what is odd about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from darter.dataset.audit import Scanned
from darter.dataset.check_boxes import check_target
from darter.dataset.duplicates import pixel_digest, thumbnail
from darter.dataset.sample import Sample
from darter.dataset.statistics import PixelStatistics
from darter.errors import DataError
from darter.names import visible
from darter.picture import (
    KINDS,
    LEFT_OUT,
    MAX_PIXELS,
    PictureError,
    ValueRange,
    decode,
    formats,
    locate,
)

SCAN_SIDE = 512  # JPEGs are scanned at 1/2 .. 1/8 size while the short side stays this long
VERY_SMALL = 16


@dataclass(frozen=True)
class Read:
    """What one worker found in one file."""

    sample: Sample
    notes: tuple[tuple[str, str], ...]  # (kind, detail)
    size: tuple[int, int] = (0, 0)
    format: str = ""
    digest: str = ""  # empty: not usable
    grey: bool = False
    thumbnail: np.ndarray = field(default_factory=lambda: np.empty(0))
    pixels: PixelStatistics = field(default_factory=lambda: PixelStatistics.merge(()))
    stamp: tuple[int, int] = (0, 0)
    values: ValueRange | None = None  # least and largest, where the file has no black and white
    value_range: ValueRange | None = None  # with which it was read


def read_picture(sample: Sample, max_pixels: int, value_range: ValueRange | None = None) -> Read:
    stamp = stamp_of(sample.path)  # first: what is replaced while it is read is noticed later
    try:
        picture = decode(
            sample.path, min_side=SCAN_SIDE, max_pixels=max_pixels, value_range=value_range
        )
    except PictureError as error:
        return Read(sample, ((error.kind, error.detail),), values=error.values)
    target, flaws = check_target(sample.target, picture.size, picture.orientation)
    sample = replace(sample, target=target)
    if any(KINDS[kind].action == LEFT_OUT for kind, _ in flaws):
        return Read(sample, tuple(flaws))
    notes = [(kind, KINDS[kind].meaning) for kind in picture.notes]
    promised = formats.extension_mismatch(sample.path.suffix, picture.format)
    if promised:
        notes.append(("wrong extension", f"named {promised}, but it is {picture.format}"))
    width, height = picture.size
    if min(width, height) < VERY_SMALL:
        notes.append(("very small", f"{width}x{height} pixels"))
    notes += flaws
    grey = _is_grey(picture.pixels)
    if grey:
        notes.append(("grey", KINDS["grey"].meaning))
    return Read(
        sample, tuple(notes), picture.size, picture.format,
        pixel_digest(picture.pixels, picture.size), grey,
        thumbnail(picture.pixels), PixelStatistics.of(picture.pixels), stamp,
        picture.values, value_range if picture.values else None,
    )  # fmt: skip


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, or of the shard that it is in; (0, 0) where it is not."""
    try:
        member = None if path.exists() else locate(path)
        status = (path if member is None else member.shard).stat()
    except (OSError, ValueError, DataError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


def check_unchanged(pictures: Iterable[Scanned], *, max_pixels: int = MAX_PIXELS) -> None:
    """Raise DataError that names the first picture that is gone, or another one, since its scan.

    Only files of another size or time are read again, so this costs next to nothing.
    """
    for picture in pictures:
        if stamp_of(picture.sample.path) == picture.stamp:
            continue
        now = read_picture(picture.sample, max_pixels, picture.value_range)
        if now.digest != picture.digest:
            what = "was replaced by another picture" if now.digest else f"is {now.notes[0][0]}"
            raise DataError(
                f"{visible(picture.sample.path)} {what} since the audit, so what is known of it "
                "no longer holds. Put it back, or start a new run."
            )


def _is_grey(pixels: np.ndarray) -> bool:
    for part in (pixels[::8, ::8], pixels):  # most color pictures show it at the first look
        red, green, blue = np.moveaxis(part, 2, 0)
        if not (np.array_equal(red, green) and np.array_equal(green, blue)):
            return False
    return True
