"""Pictures into shards: tar files that are read from front to back, as slow disks like it.

The tars are WebDataset's: the members of one picture share a key, `00000012-name.jpg` is its file,
`.cls` the number of its class, `.json` what else is known. They are written in an order mixed once,
so that reading them in their order mixes the classes.
"""

import io
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from darter.cluster import Workers, in_chunks
from darter.dataset.pack_names import Names
from darter.dataset.samples import Listing, find_samples
from darter.dataset.shards import ShardWriter
from darter.errors import DataError, OptionError
from darter.files import cannot_write, write_json
from darter.names import visible
from darter.picture import INDEX, VERSION, PictureError, decode, read

SHARD_BYTES = 100_000_000
QUALITY = 90


@dataclass(frozen=True)
class Packed:
    """What `pack` wrote. left_out: files that cannot be read, with the reason."""

    root: Path
    pictures: int
    shards: int
    bytes: int
    shrunk: int
    left_out: tuple[tuple[str, str], ...]


def pack(
    source: Path | str | Listing,
    out: Path | str,
    *,
    max_side: int | None = None,
    quality: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
    workers: Workers | None = None,
) -> Packed:
    """Write the pictures of a folder or CSV file into WebDataset tars with an index.

    out: a folder that is empty, new, or holds an unfinished pack, which is begun again.
    max_side: pictures whose long side is longer are resized to it and stored as JPEG; all others
        keep their bytes.   quality: of those JPEGs (90); alone, pictures become JPEGs of that
        quality where that makes them smaller.
    shard_bytes: a shard is closed when it has reached this size.
    workers: that read and shrink pictures; this process writes. The shards are the same.

    A shard gets its name when it is whole. All are read back, and the index is written last: an
    interrupted pack has no index and is not read. Raises DataError where `out` holds anything else.
    """
    if max_side is not None and max_side < 16:
        raise OptionError(f"pack: max_side must be at least 16 pixels, got {max_side}")
    if quality is not None and not 1 <= quality <= 100:
        raise OptionError(f"pack: quality must be from 1 to 100, got {quality}")
    listing = source if isinstance(source, Listing) else find_samples(source)
    if listing.task in ("detect", "caption"):
        raise OptionError("pack keeps labels only; these pictures have boxes or captions")
    out = Path(out)
    if listing.root.is_dir() and listing.root.resolve() in (out.resolve(), *out.resolve().parents):
        raise DataError(f"{out} is inside {listing.root}, which is packed. Give another folder.")
    _clear(out)
    order = np.random.Generator(np.random.Philox(0)).permutation(len(listing.samples))
    names = Names(listing)
    classes = list(listing.classes)
    rows: dict[int, list[Any]] = {}
    checksums: dict[int, int] = {}
    left_out: list[tuple[str, str]] = []
    shrunk = 0
    try:
        with ShardWriter(out, shard_bytes) as shards:
            paths = [listing.samples[number].path for number in order]
            contents = _contents(paths, max_side, quality, workers)
            for done, (number, found) in enumerate(zip(map(int, order), contents, strict=True), 1):
                sample = listing.samples[number]
                if isinstance(found, str):
                    left_out.append((names[number], found))
                else:
                    content, suffix = found
                    shrunk += bool(suffix)
                    name = names.as_jpeg(number) if suffix else names[number]
                    number_of = [classes.index(label) for label in sample.labels]
                    label = number_of[0] if isinstance(sample.target, str) else number_of
                    place = shards.add(number, sample, name, label, content, suffix)
                    rows[number] = [name, label, sample.split, sample.group, *place]
                    checksums[number] = zlib.crc32(content)
                if progress:
                    progress(done, len(order))
        _read_back(out, shards.written, rows, checksums, len(order) - len(left_out))
    except OSError as error:
        raise cannot_write(out, error) from error
    total = _write_index(out, shards.written, classes, [rows[number] for number in sorted(rows)])
    return Packed(out, len(rows), len(shards.written), total, shrunk, tuple(left_out))


Content = tuple[bytes, str | None] | str  # as of `content_of`, or why there is none


def _contents(
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
    return lambda paths: list(_contents(paths, max_side, quality, None))


def _read_back(
    out: Path,
    shards: list[tuple[Path, int]],
    rows: dict[int, list[Any]],
    checksums: dict[int, int],
    expected: int,
) -> None:
    """Read every shard as a tar, and hold what is in it against the rows of the index.

    expected: pictures. Raises DataError where a picture is lost, doubled or changed.
    """
    places = {(row[4], row[5]): number for number, row in rows.items()}
    found = set()
    for shard, (path, _) in enumerate(shards):
        with tarfile.open(path) as tar:
            for member in tar:
                number = places.get((shard, member.offset_data))
                content = tar.extractfile(member)
                if number is None or content is None or rows[number][6] != member.size:
                    continue
                if zlib.crc32(content.read()) == checksums[number]:
                    found.add(number)
    names = {row[0] for row in rows.values()}
    if not len(found) == len(names) == len(rows) == expected:
        raise DataError(
            f"{visible(out)}: of {expected} pictures {len(found)} can be read back from the "
            f"shards, under {len(names)} names. Pack again, on another disk if it happens again."
        )


def _write_index(
    out: Path, shards: list[tuple[Path, int]], classes: list[str], pictures: list[list[Any]]
) -> int:
    """Write the index, which makes a pack of the folder; returns the bytes of all shards."""
    sizes = [path.stat().st_size for path, _ in shards]
    entries = [
        {"url": path.name, "nsamples": count, "filesize": size}
        for (path, count), size in zip(shards, sizes, strict=True)
    ]
    ours = {
        "version": VERSION,
        "classes": classes,
        "columns": ["path", "class", "split", "group", "shard", "offset", "size"],
        "pictures": pictures,
    }
    # wids_version, name, shardlist: the index of the webdataset package
    index = {"wids_version": 1, "name": out.name, "shardlist": entries, "darter": ours}
    write_json(out / INDEX, index)
    return sum(sizes)


def _clear(out: Path) -> None:
    """Make `out`, or remove what an interrupted pack has left in it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {out}: {error.strerror or error}.") from error
    leftovers = [f for f in out.iterdir() if _is_leftover(f.name)]
    others = [f for f in out.iterdir() if f not in leftovers]
    if others:
        raise DataError(
            f"{visible(out)} is not empty: it holds {visible(others[0].name)}. Give a new folder "
            "for the pack."
        )
    for file in leftovers:
        file.unlink()


def _is_leftover(name: str) -> bool:
    shard = name.startswith("shard-") and name.endswith((".tar", ".part"))
    return shard or name.startswith(f".{INDEX}.")


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
