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

    split: "train", "val", "test" or None (darter decides).
    group: pictures of one group stay on one side of every split (one animal, one film, ...).
    """

    path: Path
    label: str
    split: str | None = None
    group: str | None = None


def shown(name: str | Path) -> str:
    """A file name that can be printed and encoded, whatever bytes it is made of."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
