"""One labelled picture file."""

from dataclasses import dataclass
from pathlib import Path

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One labelled picture file, as the user gave it.

    target: what is to be learned of it: its label, or all of its labels.
    split: "train", "val", "test" or None (darter decides).
    group: pictures of one group stay on one side of every split (one animal, one film, ...).
    """

    path: Path
    target: str | tuple[str, ...]
    split: str | None = None
    group: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes that are in it."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def label(self) -> str:
        """Its one label, or all of them for a reader."""
        return self.target if isinstance(self.target, str) else ", ".join(self.target)
