"""One labelled picture file."""

from dataclasses import dataclass
from pathlib import Path

from darter.dataset.boxes import Boxes, Captions

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
Target = str | tuple[str, ...] | Boxes | Captions


@dataclass(frozen=True)
class Sample:
    """One labelled picture file, as the user gave it.

    target: what is to be learned of it: its label, all of its labels, boxes, or sentences.
    split: "train", "val", "test" or None (darter decides).
    group: pictures of one group stay on one side of every split (one animal, one film, ...).
    """

    path: Path
    target: Target
    split: str | None = None
    group: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes that are in it."""
        if isinstance(self.target, Captions):
            return ()
        if isinstance(self.target, Boxes):
            return self.target.labels
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def label(self) -> str:
        """Its one label, or all that is said of it, for a reader."""
        return ", ".join(self.target) if isinstance(self.target, tuple) else str(self.target)


def task_of(samples: "list[Sample] | tuple[Sample, ...]") -> str:
    """What the targets of a collection are for: "classify", "multilabel", "detect", "caption"."""
    kinds = {type(sample.target) for sample in samples}
    for kind, task in ((Boxes, "detect"), (Captions, "caption"), (tuple, "multilabel")):
        if kind in kinds:
            return task
    return "classify"
