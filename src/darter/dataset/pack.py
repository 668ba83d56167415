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
from darter.dataset.sample import Sample
from darter.dataset.samples import Listing, find_samples
from darter.dataset.shards import SHARDS, STRANGERS, ShardWriter
from darter.errors import DataError, OptionError
from darter.files import cannot_write, write_json
from darter.names import visible
from darter.picture import INDEX, VERSION, PictureError, decode, read

SHARD_BYTES = 100_000_000
QUALITY = 90


@dataclass(frozen=True)
class Packed:
    """What `pack` wrote. left_out: files that cannot be read, with the reason.

    strangers: pictures of a folder `unknown`, which is no class.
    """

    root: Path
    pictures: int
    shards: int
    bytes: int
    shrunk: int
    left_out: tuple[tuple[str, str], ...]
    strangers: int = 0


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
    own = len(listing.samples)
    order = np.random.Generator(np.random.Philox(0)).permutation(own).tolist()
    strange = range(own, own + len(listing.strangers))
    packing = _Packing(
        listing, out, shard_bytes, max_side, quality, workers, progress, own + len(strange)
    )
    try:
        pictures = packing.store(SHARDS, order)
        strangers = packing.store(STRANGERS, strange)
    except OSError as error:
        raise cannot_write(out, error) from error
    total = _write_index(out, listing, pictures, strangers)
    return Packed(
        out,
        len(pictures.places),
        len(pictures.shards) + len(strangers.shards),
        total,
        packing.shrunk,
        tuple(packing.left_out),
        len(strangers.places),
    )


Place = tuple[str, int, int, int]  # name, shard, offset, size


@dataclass(frozen=True)
class _Stored:
    """shards: path, pictures.   places: of each picture, by its number."""

    shards: list[tuple[Path, int]]
    places: dict[int, Place]


class _Packing:
    """Pictures on their way into shards; those of classes first, strangers after them."""

    def __init__(
        self,
        listing: Listing,
        out: Path,
        shard_bytes: int,
        max_side: int | None,
        quality: int | None,
        workers: Workers | None,
        progress: Callable[[int, int], None] | None,
        total: int,
    ) -> None:
        self.listing, self.out, self.shard_bytes = listing, out, shard_bytes
        self.how = max_side, quality, workers
        self.progress, self.done, self.total = progress, 0, total
        self.names, self.classes = Names(listing), list(listing.classes)
        self.left_out: list[tuple[str, str]] = []
        self.shrunk = 0

    def store(self, kind: str, numbers: Sequence[int]) -> _Stored:
        """Pictures of these numbers in shards of their own, read back. No shard without one."""
        samples = self.listing.samples
        paths = [*(sample.path for sample in samples), *self.listing.strangers]
        places: dict[int, Place] = {}
        checksums: dict[int, int] = {}
        with ShardWriter(self.out, self.shard_bytes, kind) as shards:
            contents = _contents([paths[number] for number in numbers], *self.how)
            for number, found in zip(numbers, contents, strict=True):
                if isinstance(found, str):
                    self.left_out.append((self.names[number], found))
                else:
                    content, suffix = found
                    self.shrunk += bool(suffix)
                    name = self.names.as_jpeg(number) if suffix else self.names[number]
                    about = label = None
                    if number < len(samples):
                        sample = samples[number]
                        about, label = about_sample(sample), number_of(sample, self.classes)
                    places[number] = name, *shards.add(number, name, content, suffix, label, about)
                    checksums[number] = zlib.crc32(content)
                self.done += 1
                if self.progress:
                    self.progress(self.done, self.total)
        _read_back(self.out, shards.written, places, checksums)
        return _Stored(shards.written, places)


def about_sample(sample: Sample) -> dict[str, Any]:
    return {"label": sample.target, "split": sample.split, "group": sample.group}


def number_of(sample: Sample, classes: list[str]) -> int | list[int]:
    """Of its class, or of several."""
    numbers = [classes.index(label) for label in sample.labels]
    return numbers[0] if isinstance(sample.target, str) else numbers


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
    stored: dict[int, Place],
    checksums: dict[int, int],
) -> None:
    """Read every shard as a tar, and hold what is in it against where pictures were put.

    Raises DataError where a picture is lost, doubled or changed.
    """
    places = {(shard, offset): number for number, (_, shard, offset, _) in stored.items()}
    found = set()
    for shard, (path, _) in enumerate(shards):
        with tarfile.open(path) as tar:
            for member in tar:
                number = places.get((shard, member.offset_data))
                content = tar.extractfile(member)
                if number is None or content is None or stored[number][3] != member.size:
                    continue
                if zlib.crc32(content.read()) == checksums[number]:
                    found.add(number)
    names = {place[0] for place in stored.values()}
    if not len(found) == len(names) == len(stored):
        raise DataError(
            f"{visible(out)}: of {len(stored)} pictures {len(found)} can be read back from the "
            f"shards, under {len(names)} names. Pack again, on another disk if it happens again."
        )


def _write_index(out: Path, listing: Listing, pictures: _Stored, strangers: _Stored) -> int:
    """Write the index, which makes a pack of the folder; returns the bytes of all shards."""
    entries, others = _shard_list(pictures.shards), _shard_list(strangers.shards)
    classes, rows = list(listing.classes), []
    for number, (name, *place) in sorted(pictures.places.items()):
        sample = listing.samples[number]
        label = number_of(sample, classes)
        rows.append([name, label, sample.split, sample.group, *place])
    ours: dict[str, Any] = {
        "version": VERSION,
        "classes": classes,
        "columns": ["path", "class", "split", "group", "shard", "offset", "size"],
        "pictures": rows,
    }
    if others:  # in shards of their own, so that other readers find no pictures without a class
        ours["strangers"] = {
            "shardlist": others,
            "columns": ["path", "shard", "offset", "size"],
            "pictures": [list(place) for _, place in sorted(strangers.places.items())],
        }
    # wids_version, name, shardlist: the index of the webdataset package
    index = {"wids_version": 1, "name": out.name, "shardlist": entries, "darter": ours}
    write_json(out / INDEX, index)
    return sum(entry["filesize"] for entry in (*entries, *others))


def _shard_list(shards: list[tuple[Path, int]]) -> list[dict[str, Any]]:
    return [
        {"url": path.name, "nsamples": count, "filesize": path.stat().st_size}
        for path, count in shards
    ]


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
    shard = name.startswith((f"{SHARDS}-", f"{STRANGERS}-")) and name.endswith((".tar", ".part"))
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
