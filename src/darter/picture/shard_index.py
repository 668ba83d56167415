"""Pictures inside shards: where `darter pack` has put each one, and how to read it there.

A pack is a folder of WebDataset tars and `index.json`. Its pictures go by the names that they had
before, below the pack's folder: `packed/ants/1.jpg` can be decoded as if the file were there.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from darter.errors import DataError
from darter.files import read_json
from darter.names import visible

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
    """entries: in the order that the folder's listing had.   members: path -> where it is.

    strangers: names of pictures of no class, which are among the members, too.
    """

    root: Path
    entries: tuple[Entry, ...]
    members: dict[Path, Member]
    shards: tuple[Path, ...]
    strangers: tuple[Path, ...] = ()


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
        shards = [_shard(root, entry) for entry in index["shardlist"]]
        classes = [_text(name) for name in ours["classes"]]
        entries = tuple(_entry(root, shards, classes, row) for row in ours["pictures"])
        strangers, strange_shards = _strangers(root, ours.get("strangers"))
        members = {entry.path: entry.member for entry in entries} | strangers
        if len(members) < len(entries) + len(strangers):
            raise ValueError("two pictures have one name")
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise DataError(
            f"{visible(root / INDEX)} is not an index that `darter pack` has written ({error}). "
            "Copy or pack it again."
        ) from error
    files = tuple(path for path, _ in (*shards, *strange_shards))
    return ShardIndex(root, entries, members, files, tuple(strangers))


Shard = tuple[Path, int]  # file, bytes


def _strangers(root: Path, given: dict[str, Any] | None) -> tuple[dict[Path, Member], list[Shard]]:
    """Pictures of no class, which a pack has in shards of their own, if it has any."""
    if given is None:
        return {}, []
    shards = [_shard(root, entry) for entry in given["shardlist"]]
    rows = given["pictures"]
    found = {_path(root, name): _member(shards, name, *place) for name, *place in rows}
    if len(found) < len(rows):
        raise ValueError("two pictures have one name")
    return found, shards


def _shard(root: Path, entry: dict[str, Any]) -> Shard:
    """(file, bytes) of a shard that is as long as the index says."""
    name, expected = _text(entry["url"]), _number(entry["filesize"], 1 << 62)
    if name != PurePosixPath(name).name or name in ("", ".."):
        raise ValueError(f"the shard {name!r} is not in the folder of the index")
    path = root / name
    size = path.stat().st_size if path.is_file() else None
    if size != expected:
        found = "is missing" if size is None else f"has {size} bytes"
        raise DataError(
            f"{visible(path)} {found}, its index says {expected}. Copy or pack it again."
        )
    return path, expected


def _entry(root: Path, shards: list[Shard], classes: list[str], row: list[Any]) -> Entry:
    """A row of the index whose name leads out of no folder and whose bytes lie in their shard."""
    name, label, split, group, *place = row
    path, member = _path(root, name), _member(shards, name, *place)
    if split not in (None, "train", "val", "test"):
        raise ValueError(f"{name!r} is in no split, but in {split!r}")
    several = isinstance(label, list)
    labels = [classes[_number(k, len(classes) - 1)] for k in (label if several else [label])]
    target = tuple(labels) if several else labels[0]
    return Entry(path, target, split, None if group is None else _text(group), member)


def _path(root: Path, name: Any) -> Path:
    path = PurePosixPath(_text(name))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise ValueError(f"the name {name!r} leads out of the pack")
    return root / path


def _member(shards: list[Shard], name: str, shard: Any, offset: Any, size: Any) -> Member:
    file, length = shards[_number(shard, len(shards) - 1)]
    member = Member(file, _number(offset, length), _number(size, length))
    if member.offset + member.size > length:
        raise ValueError(f"{name!r} lies beyond the end of {file.name}")
    return member


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands where a name should be")
    return value


def _number(value: Any, most: int) -> int:
    """A whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no whole number from 0 to {most}")
    return value
