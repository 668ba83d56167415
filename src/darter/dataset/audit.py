"""What the scan found: one frozen value that every later room reads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darter.dataset.boxes import Boxes, Captions
from darter.dataset.leaks import alike
from darter.dataset.sample import Sample
from darter.dataset.statistics import PixelStatistics
from darter.picture import CONVERTED, LEFT_OUT, NOTED, ValueRange

ENOUGH = 4  # different pictures of a class: two to learn from, one to validate, one to test
IMBALANCED = 3  # from here on the summary mentions it
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Finding:
    """One thing about one file; kind is a key of `KINDS`, action one of its three actions."""

    path: str
    kind: str
    action: str
    detail: str


@dataclass(frozen=True)
class Scanned:
    """One usable picture.

    width, height: of the full picture, upright.   format: as Pillow names it.
    digest: of the decoded pixels (JPEGs at the scale that the scan uses, see `scan`).
    phash: 64-bit perceptual hash.   grey: without color.   pixels: color statistics.
    stamp: size and time of its file when it was read, see `check_unchanged`.
    value_range: with which it was read, as its file does not say what black and white are.
    """

    sample: Sample
    width: int
    height: int
    format: str
    digest: str
    phash: int
    grey: bool
    pixels: PixelStatistics = field(compare=False, repr=False)
    stamp: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)
    value_range: ValueRange | None = None


@dataclass(frozen=True)
class Conflict:
    """The same picture under two or more labels; none of the files is used."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """Usable pictures, and everything odd.

    classes: sorted.   pictures: sorted by path.
    duplicates (equal pixels) and near_duplicates: groups of indices into `pictures`; a group of
    near-duplicates lists equal pixels too.
    """

    root: str
    kind: str
    classes: tuple[str, ...]
    pictures: tuple[Scanned, ...]
    findings: tuple[Finding, ...] = ()
    duplicates: tuple[tuple[int, ...], ...] = ()
    near_duplicates: tuple[tuple[int, ...], ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()
    task: str = "classify"

    @property
    def value_range(self) -> ValueRange | None:
        """What is black and white in files that do not say so: one for the whole data set."""
        return next((p.value_range for p in self.pictures if p.value_range), None)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Usable pictures per class and split; "unassigned" where darter shall split."""
        splits = {picture.sample.split for picture in self.pictures}
        columns = [s for s in (*SPLITS, None) if s in splits]
        found = Counter((n, p.sample.split) for p in self.pictures for n in p.sample.labels)
        return {
            label: {split or "unassigned": found[label, split] for split in columns}
            for label in self.classes
        }

    @property
    def objects(self) -> dict[str, int]:
        """Boxes of each class in the usable pictures; empty where none are marked."""
        targets = [p.sample.target for p in self.pictures]
        found = Counter(b.label for t in targets if isinstance(t, Boxes) for b in t.boxes)
        return {label: found[label] for label in self.classes} if found else {}

    @property
    def imbalance(self) -> float:
        """Pictures of the largest class per picture of the smallest (that has any)."""
        sizes = Counter(n for p in self.pictures for n in p.sample.labels).values()
        return max(sizes) / min(sizes) if sizes else 1.0

    @property
    def lonely(self) -> tuple[str, ...]:
        """Classes with fewer than two usable pictures, one to learn from and one to measure on."""
        sizes = Counter(n for p in self.pictures for n in p.sample.labels)
        return tuple(label for label in self.classes if sizes[label] < 2)

    @property
    def left_out(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.action == LEFT_OUT)

    @property
    def copies_left_out(self) -> int:
        """Pictures of a given part that stand in a later one, too; only that one keeps them."""
        return sum(finding.kind == "leak" for finding in self.findings)

    @property
    def alike(self) -> dict[int, int]:
        """Given val and test pictures, by index -> one that is nearly the same in an earlier part.

        Such a picture was, almost, learned from: it flatters the model.
        """
        return alike([picture.sample for picture in self.pictures], self.near_duplicates)

    @property
    def divided(self) -> int:
        """The user's groups that stand in several of the user's own splits."""
        sides: dict[str, set[str]] = {}
        for picture in self.pictures:
            sample = picture.sample
            if sample.group is not None:
                sides.setdefault(sample.group, set()).add(sample.split or "train")
        return sum(len(of_group) > 1 for of_group in sides.values())

    def summary(self) -> list[str]:
        """The whole audit in a few sentences."""
        used, out = len(self.pictures), len({f.path for f in self.left_out})
        lines = [
            f"{count(used, 'picture')}{self._content()} can be used; {count(out, 'file')} left out."
        ]
        for action in (LEFT_OUT, CONVERTED, NOTED):
            kinds = Counter(f.kind for f in self.findings if f.action == action)
            if kinds:
                lines.append(f"{action.capitalize()}: {_counted(kinds)}.")
        copies = sum(len(group) - 1 for group in self.duplicates)
        if copies:
            groups = count(len(self.duplicates), "group")
            lines.append(f"{count(copies, 'exact copy', 'exact copies')}, in {groups}.")
        if self.near_duplicates:
            similar = sum(len(group) for group in self.near_duplicates)
            groups = count(len(self.near_duplicates), "group")
            stay = "" if self.alike else "; each stays on one side"
            lines.append(f"{similar} near-duplicates, in {groups}{stay}.")
        lines += self._leaks()
        if self.conflicts:
            lines.append(
                f"{count(len(self.conflicts), 'picture')} under two labels, not used: "
                "decide which label is right."
            )
        if self.imbalance >= IMBALANCED:
            lines.append(f"The largest class has {self.imbalance:.0f} times the smallest.")
        return lines + [f"{note[:1].upper()}{note[1:]}." for note in self.notes]

    def _content(self) -> str:
        """What is in the pictures."""
        classes = f" of {count(len(self.classes), 'class', 'classes')}"
        if self.task == "detect":
            return f" with {count(sum(self.objects.values()), 'box', 'boxes')}{classes}"
        if self.task == "caption":
            targets = [p.sample.target for p in self.pictures]
            many = sum(len(t.sentences) for t in targets if isinstance(t, Captions))
            return f" with {count(many, 'caption')}"
        return classes

    def _leaks(self) -> list[str]:
        """What stands in several of the user's own splits."""
        lines = []
        if copies := self.copies_left_out:
            lines.append(
                f"{count(copies, 'picture')} left out of your training or validation part: "
                f"{'a copy stands' if copies == 1 else 'copies stand'} in a later part, which "
                "stays as it is."
            )
        if found := len(self.alike):
            lines.append(
                f"{count(found, 'picture')} of your validation and test parts {is_are(found)} "
                "nearly the same as pictures that are learned from: the results will flatter. See "
                '"near leak".'
            )
        if self.divided:
            lines.append(
                f"{count(self.divided, 'group')} {is_are(self.divided)} divided among your own "
                "splits, though pictures of a group should stay on one side."
            )
        return lines

    def name(self, index: int) -> str:
        """Path of a picture as findings name it."""
        return relative_name(self.pictures[index].sample.path, Path(self.root))

    def _repr_html_(self) -> str:
        from darter.dataset.shown import audit_html

        return audit_html(self)

    def to_json(self) -> dict:
        def named(groups: tuple[tuple[int, ...], ...]) -> list[list[str]]:
            return [[self.name(index) for index in group] for group in groups]

        return {
            "root": self.root,
            "kind": self.kind,
            "task": self.task,
            "classes": list(self.classes),
            "pictures": len(self.pictures),
            "counts": self.counts,
            "objects": self.objects,
            "imbalance": self.imbalance,
            "findings": [vars(finding) for finding in self.findings],
            "duplicates": named(self.duplicates),
            "near_duplicates": named(self.near_duplicates),
            "conflicts": [
                {"paths": list(c.paths), "labels": list(c.labels)} for c in self.conflicts
            ],
            "notes": list(self.notes),
            "value_range": None if self.value_range is None else list(self.value_range),
        }


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def relative_name(path: Path, root: Path) -> str:
    """`path` as a person names it: below root (a CSV file's folder), with forward slashes."""
    base = root.parent if root.suffix.lower() in (".csv", ".tsv") else root
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def is_are(number: int) -> str:
    return "is" if number == 1 else "are"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """(1, "file") -> "1 file"; (2, "file") -> "2 files"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def some(items: Sequence[str], most: int = 8) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
