"""Which picture an annotation file speaks of, and which part of the data it belongs to."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from darter.dataset.sample import SPLIT_NAMES
from darter.names import one_form

# Folders that only say what kind of file is in them; they differ between picture and annotation.
LAYOUT = {"images", "image", "img", "imgs", "jpegimages", "pictures", "labels", "label",
          "annotations", "annotation", "xml", "xmls", "json", "jsons", "txt", "data"}  # fmt: skip
_PART = re.compile(r"(?:^|[^a-z])(" + "|".join(SPLIT_NAMES) + r")(?:19|20)?\d{0,2}(?:$|[^a-z0-9])")


def part_of(text: str) -> str | None:
    """ "instances_val2017" -> "val"; "training" -> "train"; "photos" -> None."""
    found = _PART.search(text.lower())
    return SPLIT_NAMES[found[1]] if found else None


def part_of_path(path: Path, root: Path) -> str | None:
    """What the folders between root and a file say, the innermost first."""
    for folder in reversed(path.relative_to(root).parts[:-1]):
        part = part_of(folder)
        if part:
            return part
    return None


class Pictures:
    """The picture files below a root, found by name."""

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self.root = root
        self.files = tuple(files)
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for file in self.files:
            self._by_name[_key(file.name)].append(file)
            self._by_stem[_key(file.stem)].append(file)

    def beside(self, annotation: Path, told: str = "") -> Path | None:
        """The picture of the same stem, or of the name that the annotation tells."""
        found = self._by_stem.get(_key(annotation.stem), [])
        if not found and told:
            base = told.replace("\\", "/").rpartition("/")[2]
            found = self._by_name.get(_key(base)) or self._by_stem.get(_key(Path(base).stem), [])
        return self._nearest(found, annotation.relative_to(self.root).parts[:-1])

    def named(self, name: str, annotation: Path) -> Path | None:
        """The picture that a list of many calls `name`, perhaps with folders before it."""
        parts = tuple(part for part in name.split("/") if part not in ("", ".", ".."))
        if not parts:
            return None
        found = self._by_name.get(_key(parts[-1]), [])
        near = annotation.relative_to(self.root).parts[:-1]
        part = part_of(annotation.stem)
        return self._nearest(found, (*near, *(() if part is None else (part,)), *parts[:-1]))

    def _nearest(self, found: list[Path], folders: tuple[str, ...]) -> Path | None:
        """The one that shares most folders, or parts of the data, with these."""
        if len(found) < 2:
            return found[0] if found else None
        wanted = _telling(folders)

        def shared(path: Path) -> int:
            return len(wanted & _telling(path.relative_to(self.root).parts[:-1]))

        return max(found, key=shared)


def _telling(folders: Iterable[str]) -> set[str]:
    plain = {_key(folder) for folder in folders} - LAYOUT
    return plain | {part for part in map(part_of, plain) if part}


def _key(name: str) -> str:
    return one_form(name).lower()
