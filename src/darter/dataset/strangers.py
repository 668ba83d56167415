"""Pictures of anything else, in a folder `unknown` next to the classes, which is no class."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from darter.dataset.audit import count
from darter.dataset.sample import Sample
from darter.dataset.walk import entries_of, files_below, identity

if TYPE_CHECKING:
    from darter.dataset.samples import Listing

UNKNOWN = "unknown"
LEAST_CLASSES = 2  # beside it; with fewer, `unknown` is one of the two classes there must be


def set_strangers_aside(listing: "Listing") -> "Listing":
    """The listing without the class `unknown`, whose files are its `strangers` instead.

    Only of class folders, with two other classes or more; a list says itself what is a class, and a
    pack what was none when it was packed.
    """
    if listing.kind == "pack" and listing.strangers:
        return replace(listing, notes=(*listing.notes, _note(len(listing.strangers))))
    if listing.kind not in ("classes", "splits"):
        return listing
    own = [s for s in listing.samples if not is_unknown(s.label)]
    strange = [s.path for s in listing.samples if is_unknown(s.label)]
    if listing.kind == "splits":
        strange += _beside_the_splits(listing.root)
    if not strange or len({s.label for s in own}) < LEAST_CLASSES:
        return listing
    notes = (*listing.notes, _note(len(strange)))
    return replace(listing, samples=tuple(own), strangers=tuple(strange), notes=notes)


def with_no_strangers(listing: "Listing") -> "Listing":
    """The listing where `unknown` is a class like any other."""
    if not listing.strangers:
        return listing
    note = (
        f"left aside: {count(len(listing.strangers), 'file')} of {UNKNOWN}/, which was no class "
        "when it was packed. If it is one, pack again with --unknown none"
    )
    return replace(listing, strangers=(), notes=(*listing.notes, note))


def _note(files: int) -> str:
    return (
        f"{UNKNOWN}/ is taken for no class: its {count(files, 'file')} show what the model is to "
        'answer "unknown" to. If it is a class, say --unknown none'
    )


def is_unknown(label: str) -> bool:
    return label.lower() == UNKNOWN


def _beside_the_splits(root: Path) -> list[Path]:
    above = {identity(parent) for parent in (root, *root.absolute().parents)}
    folders = [f for f in entries_of(root)[0] if is_unknown(f.name)]
    return [path for folder in folders for path in files_below(folder, set(above))]


def without_strangers(samples: Sequence[Sample], classes: Sequence[str]) -> list[Sample]:
    """Samples of a folder that a model of these classes can be measured on."""
    if any(map(is_unknown, classes)):
        return list(samples)
    return [s for s in samples if not (isinstance(s.target, str) and is_unknown(s.target))]
