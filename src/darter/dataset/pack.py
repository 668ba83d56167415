"""Pictures into shards: tar files that are read from front to back, as slow disks like it.

The tars are WebDataset's: the members of one picture share a key, `00000012-name.jpg` is its file,
`.cls` the number of its class, `.json` what else is known. They are written in an order mixed once,
so that reading them in their order mixes the classes.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darter.cluster import Workers
from darter.dataset.pack_index import Place, Stored, number_of, read_back, write_index
from darter.dataset.pack_names import Names
from darter.dataset.sample import Sample
from darter.dataset.samples import Listing, find_samples
from darter.dataset.shards import SHARDS, STRANGERS, ShardWriter
from darter.dataset.shrink import contents
from darter.errors import DataError, OptionError
from darter.files import cannot_write
from darter.names import visible
from darter.picture import INDEX

SHARD_BYTES = 100_000_000


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
    total = write_index(out, listing, pictures, strangers)
    return Packed(
        out,
        len(pictures.places),
        len(pictures.shards) + len(strangers.shards),
        total,
        packing.shrunk,
        tuple(packing.left_out),
        len(strangers.places),
    )


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

    def store(self, kind: str, numbers: Sequence[int]) -> Stored:
        """Pictures of these numbers in shards of their own, read back. No shard without one."""
        samples = self.listing.samples
        paths = [*(sample.path for sample in samples), *self.listing.strangers]
        places: dict[int, Place] = {}
        checksums: dict[int, int] = {}
        with ShardWriter(self.out, self.shard_bytes, kind) as shards:
            every = contents([paths[number] for number in numbers], *self.how)
            for number, found in zip(numbers, every, strict=True):
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
        read_back(self.out, shards.written, places, checksums)
        return Stored(shards.written, places)


def about_sample(sample: Sample) -> dict[str, Any]:
    return {"label": sample.target, "split": sample.split, "group": sample.group}


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
