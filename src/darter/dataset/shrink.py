"""What is stored of pictures in a pack: their own bytes, or smaller JPEGs."""

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from darter.cluster import Workers, in_chunks
from darter.picture import PictureError, decode, read

QUALITY = 90
Content = tuple[bytes, str | None] | str  # as of `content_of`, or why there is none


def contents(
    paths: Sequence[Path], max_side: int | None, quality: int | None, workers: Workers | None
) -> Iterator[Content]:
    """What is stored of each picture, in their order."""
    if workers:
        yield from in_chunks(partial(_storing, max_side, quality), paths, workers, size=16)
        return
    for path in paths:
        try:
            yield content_of(read(path), max_side, quality)
        except PictureError as error:
            yield f"{error.kind}: {error.detail}"


def _storing(
    max_side: int | None, quality: int | None, _threads: int | None
) -> Callable[[Sequence[Path]], list[Content]]:
    """What a worker makes of a chunk of pictures."""
    return lambda paths: list(contents(paths, max_side, quality, None))


def content_of(
    content: bytes, max_side: int | None, quality: int | None
) -> tuple[bytes, str | None]:
    """(new content, ".jpg") of a picture that becomes a JPEG, (content, None) of one that stays.

    max_side, quality: as for `pack`. Raises PictureError where it cannot be decoded.
    """
    if max_side is None and quality is None:
        return content, None
    try:
        picture = decode(content)
    except PictureError as error:
        if error.values:  # a JPEG could not hold its numbers
            return content, None
        raise
    if picture.values:
        return content, None
    long_side = max(picture.size)
    too_long = max_side is not None and long_side > max_side
    if not too_long and quality is None:
        return content, None
    from PIL import Image

    image = Image.fromarray(picture.pixels)
    if max_side is not None and too_long:
        width, height = (max(1, round(side * max_side / long_side)) for side in picture.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality or QUALITY)
    smaller = too_long or len(buffer.getvalue()) < len(content)
    return (buffer.getvalue(), ".jpg") if smaller else (content, None)
