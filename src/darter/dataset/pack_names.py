"""The names by which pictures go in a pack: as they were, and never one name for two."""

from pathlib import Path, PurePosixPath

from darter.dataset.audit import relative_name
from darter.dataset.samples import Listing


class Names:
    """Each picture's name below the root; "outside/…" for pictures that lie elsewhere. Strangers
    are numbered after the samples.

    All names that stay are taken before any is made, so that a made name meets none of them,
    whichever of them are renamed later.
    """

    def __init__(self, listing: Listing) -> None:
        paths = [*(sample.path for sample in listing.samples), *listing.strangers]
        names = [relative_name(path, listing.root) for path in paths]
        self._taken: set[str] = set()
        self._names: dict[int, str] = {}
        for number, name in enumerate(names):
            if not _leaves(name) and name not in self._taken:
                self._names[number] = name
                self._taken.add(name)
        for number, name in enumerate(names):
            if number not in self._names:  # outside, or the same file a second time
                inside = f"outside/{PurePosixPath(name).name}" if _leaves(name) else name
                self._names[number] = self._make(inside)

    def __getitem__(self, number: int) -> str:
        return self._names[number]

    def as_jpeg(self, number: int) -> str:
        """The name of a picture that has become a JPEG."""
        name = self._names[number]
        return name if name.lower().endswith((".jpg", ".jpeg")) else self._make(f"{name}.jpg")

    def _make(self, name: str) -> str:
        """The name, or the first of name~2, name~3, … that is free, before the suffix."""
        path, made, number = PurePosixPath(name), name, 1
        while made in self._taken:
            number += 1
            made = str(path.with_name(f"{path.stem}~{number}{path.suffix}"))
        self._taken.add(made)
        return made


def _leaves(name: str) -> bool:
    return Path(name).is_absolute() or ".." in Path(name).parts
