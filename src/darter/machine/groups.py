"""Control groups of Linux, versions 1 and 2: where the limits of this process are written.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/, proc(5).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")


@dataclass(frozen=True)
class Group:
    """One folder of files like `memory.max` (version 2) or `memory.limit_in_bytes` (1)."""

    folder: Path
    version: int

    def number(self, name: str) -> int | None:
        """What a file says; None where it is missing or sets no limit ("max", -1)."""
        text = self.text(name)
        return int(text) if text.isdigit() else None

    def text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text().strip()
        except (OSError, ValueError):
            return ""

    def statistics(self, name: str) -> dict[str, int]:
        """Lines "key number" of a file."""
        pairs = (line.split() for line in self.text(name).splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def groups(controller: str, root: Path = ROOT) -> list[Group]:
    """The groups that limit this process by "cpu" or "memory": its own, and those around it.

    root: where /proc and /sys are, for tests. [] where the system has no control groups.
    """
    mounts = list(_mounts(root))
    paths = _own_paths(root)
    found = []
    for name, version in ((controller, 1), ("", 2)):
        if name not in paths:
            continue
        for mount in mounts:
            if mount.version == version and (version == 2 or controller in mount.controllers):
                found += [Group(folder, version) for folder in mount.around(paths[name], root)]
                break
    return found


@dataclass(frozen=True)
class _Mount:
    version: int
    shows: str  # the group that lies at `point`
    point: str
    controllers: tuple[str, ...]  # of version 1

    def around(self, group: str, root: Path) -> Iterator[Path]:
        """Folders from the group up to the mount point; only that one where the group's path means
        nothing here, as in a container that sees its own group as the top."""
        top = root / self.point.lstrip("/")
        inside = self._inside(group)
        folder = top / inside if inside else top
        while folder != top:
            if folder.is_dir():
                yield folder
            folder = folder.parent
        yield top

    def _inside(self, group: str) -> str:
        shown = self.shows.rstrip("/")
        if ".." in group.split("/") or not f"{group}/".startswith(f"{shown}/"):
            return ""
        return group[len(shown) :].strip("/")


def _own_paths(root: Path) -> dict[str, str]:
    """Controller of version 1, or "" for version 2 -> path of this process's group."""
    found: dict[str, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _mounts(root: Path) -> Iterator[_Mount]:
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        where, what = left.split(" "), right.split(" ")
        if len(where) < 5 or len(what) < 3 or what[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if what[0] == "cgroup2" else 1
        yield _Mount(version, _plain(where[3]), _plain(where[4]), tuple(what[2].split(",")))


def _plain(path: str) -> str:
    """Blanks and the like are written as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), path)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
