"""Pictures inside shards: where `darter pack` has put each one, and how to read it there.

A pack is a folder of WebDataset tars and `index.json`. Its pictures go by the names that they had
before, below the pack's folder: `packed/ants/1.jpg` can be decoded as if the file were there.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darter.errors import DataError
from darter.files import read_json

INDEX = "index.json"
VERSION = 1


@dataclass(frozen=True)
class Member:
    """Bytes [offset, offset + size) of a shard."""

    shard: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The picture's file, as it was. Raises OSError, also where the shard ends before it."""
        with self.shard.open("rb", buffering=0) as file:
            content = os.pread(file.fileno(), self.size, self.offset)
        if len(content) < self.size:
            raise OSError(0, f"the shard {self.shard.name} ends early; copy it again")
        return content


@dataclass(frozen=True)
class Entry:
    """One row of an index: the picture's name, what is known of it, and where it is."""

    path: Path
    target: str | tuple[str, ...]
    split: str | None
    group: str | None
    member: Member


@dataclass(frozen=True)
class ShardIndex:
    """entries: in the order that the folder's listing had.   members: path -> where it is."""

    root: Path
    entries: tuple[Entry, ...]
    members: dict[Path, Member]
    shards: tuple[Path, ...]


def is_pack(root: Path) -> bool:
    """Whether `darter pack` has finished a pack in this folder."""
    return os.access(root, os.X_OK) and (root / INDEX).is_file()


def read_index(root: Path | str) -> ShardIndex:
    """The index of the pack in a folder. DataError where it or a shard is not whole."""
    root = Path(root)
    try:
        stamp = (root / INDEX).stat()
    except OSError as error:
        raise DataError(
            f"{root} holds no {INDEX}: no pack was finished there. Run `darter pack` (again)."
        ) from error
    known = _opened.get(root)
    if known is None or known[0] != (stamp.st_mtime_ns, stamp.st_size):
        known = _opened[root] = ((stamp.st_mtime_ns, stamp.st_size), _read(root))
    return known[1]


_opened: dict[Path, tuple[tuple[int, int], ShardIndex]] = {}


def locate(path: Path) -> Member | None:
    """Where the picture of that name is, if its name leads into a pack."""
    for folder in path.parents:
        if folder in _opened or is_pack(folder):
            return read_index(folder).members.get(path)
        if folder.is_dir():  # what is really there hides packs above it
            return None
    return None


def _read(root: Path) -> ShardIndex:
    index = read_json(root / INDEX)
    try:
        ours = index["darter"]
        if ours["version"] != VERSION:
            raise DataError(
                f"{root / INDEX} is of version {ours['version']}, this darter reads version "
                f"{VERSION}. Pack the pictures again."
            )
        shards = tuple(_shard(root, entry) for entry in index["shardlist"])
        entries = tuple(_entry(root, shards, ours["classes"], row) for row in ours["pictures"])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise DataError(
            f"{root / INDEX} is not an index that `darter pack` has written ({error!r})."
        ) from error
    return ShardIndex(root, entries, {entry.path: entry.member for entry in entries}, shards)


def _shard(root: Path, entry: dict[str, Any]) -> Path:
    path, expected = root / Path(entry["url"]).name, entry["filesize"]
    size = path.stat().st_size if path.is_file() else None
    if size != expected:
        found = "is missing" if size is None else f"has {size} bytes"
        raise DataError(f"{path} {found}, its index says {expected}. Copy or pack it again.")
    return path


def _entry(root: Path, shards: tuple[Path, ...], classes: list[str], row: list[Any]) -> Entry:
    name, label, split, group, shard, offset, size = row
    member = Member(shards[shard], int(offset), int(size))
    target = classes[label] if isinstance(label, int) else tuple(classes[k] for k in label)
    return Entry(root / name, target, split, group, member)
