"""What was put where in shards: held against the shards themselves, and written down."""

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darter.dataset.sample import Sample
from darter.dataset.samples import Listing
from darter.errors import DataError
from darter.files import write_json
from darter.names import visible
from darter.picture import INDEX, VERSION

Place = tuple[str, int, int, int]  # name, shard, offset, size


@dataclass(frozen=True)
class Stored:
    """shards: path, pictures.   places: of each picture, by its number."""

    shards: list[tuple[Path, int]]
    places: dict[int, Place]


def number_of(sample: Sample, classes: list[str]) -> int | list[int]:
    """Of its class, or of several."""
    numbers = [classes.index(label) for label in sample.labels]
    return numbers[0] if isinstance(sample.target, str) else numbers


def read_back(
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


def write_index(out: Path, listing: Listing, pictures: Stored, strangers: Stored) -> int:
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
