"""Folders as labels: a folder per class, and which folders are splits above those."""

from pathlib import Path

from darter.dataset.sample import SPLIT_NAMES, Sample
from darter.dataset.strangers import is_unknown
from darter.dataset.walk import entries_of, files_below, identity
from darter.names import encodable, one_form, visible


def split_folders(folders: list[Path]) -> tuple[list[Path], list[str]]:
    """The folders that are splits, and a note on the others; none where they are classes."""
    splits = [f for f in folders if f.name.lower() in SPLIT_NAMES]
    others = [f for f in folders if f not in splits]
    if not splits:
        return [], []
    # A class may be called "train" (locomotives): a split holds class folders, a class pictures.
    nested = [f for f in splits if any(entries_of(f)[0])]
    trains = [f for f in splits if SPLIT_NAMES[f.name.lower()] == "train"]
    if others and not (trains and all(f in nested for f in trains)):
        return [], []
    if not nested:
        return [], []
    names = ", ".join(f"{visible(f.name)}/" for f in others if not is_unknown(f.name))
    return splits, [f"left aside, beside the splits: {names}"] if names else []


def odd_folders(parents: list[Path], used: set[str], leave_out: str | None) -> list[str]:
    """Notes on class folders that hold nothing in any split, and on those that are one class."""
    names = {f.name for parent in parents for f in entries_of(parent)[0]} - {leave_out}
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        folders.setdefault(_label(name), []).append(name)
    empty = sorted(set(folders) - used)
    notes = []
    if empty:
        named = ", ".join(f"{visible(label)}/" for label in empty)
        notes.append(f"empty class folder{'s' * (len(empty) > 1)}: {named}")
    for label, same in folders.items():
        if len(same) > 1 and label in used:
            spelled = ", ".join(ascii(name) for name in same)
            notes.append(f"the folders {spelled} are one class, {visible(label)}")
    return notes


def _label(name: str) -> str:
    """The class that a folder means; letters with accents in one form, whoever wrote them."""
    return encodable(one_form(name)).strip()


def below_classes(folder: Path, split: str | None, leave_out: str | None = None) -> list[Sample]:
    above = {identity(parent) for parent in (folder, *folder.absolute().parents)}
    samples = []
    for class_folder in entries_of(folder)[0]:
        if class_folder.name == leave_out:
            continue
        label = _label(class_folder.name)
        files = files_below(class_folder, set(above))
        samples += [Sample(path, label, split) for path in files]
    return samples
