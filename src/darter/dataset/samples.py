"""Find labelled pictures: a folder per class, train/val/test above that, or a CSV file."""

from dataclasses import dataclass, replace
from pathlib import Path

from darter.dataset.annotations import annotated, read_coco
from darter.dataset.annotations.table import read_table
from darter.dataset.audit import count
from darter.dataset.class_folders import below_classes, odd_folders, split_folders
from darter.dataset.csv_list import read_csv
from darter.dataset.packed import open_pack
from darter.dataset.sample import SPLIT_NAMES, Sample, task_of
from darter.dataset.strangers import set_strangers_aside, with_no_strangers
from darter.dataset.walk import entries_of, files_below
from darter.errors import DataError
from darter.files import refuse_url
from darter.names import visible
from darter.picture import INDEX, is_pack

LAYOUT = "Expected one folder per class (or train/, val/, test/ above those), or a CSV file"


@dataclass(frozen=True)
class Listing:
    """The labelled files below `root`, not opened yet; samples are sorted by path.

    strangers: files of a folder `unknown`, which is no class.
    """

    root: Path
    kind: str  # "classes" | "splits" | "csv" | "pack" | "voc" | "coco" | "yolo" | "labelme"
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    task: str = "classify"
    strangers: tuple[Path, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({label for sample in self.samples for label in sample.labels}))


def list_samples(root: Path | str, *, strangers: bool = True) -> Listing:
    """The labelled files as in `find_samples`, even if they would not do to train on.

    Raises DataError where there are none.
    """
    listing = survey_samples(root, strangers=strangers)
    if not listing.samples:
        raise DataError(_nothing_found(listing.root))
    return listing


def survey_samples(
    root: Path | str, *, test: Path | str | None = None, strangers: bool = True
) -> Listing:
    """Whatever there is, even no labelled file at all; its notes say what is odd.

    Raises DataError only where the folder, or what `test` names, cannot be read.
    """
    root = Path(root)
    listing = _list(root, _inner_test(root, test))
    listing = listing if test is None else _with_test(listing, test)
    return set_strangers_aside(listing) if strangers else with_no_strangers(listing)


def find_samples(
    root: Path | str, *, test: Path | str | None = None, strangers: bool = True
) -> Listing:
    """List the labelled pictures of a folder or CSV file.

        photos/ant/1.jpg  photos/bee/2.jpg                  a folder per class
        photos/train/ant/1.jpg  photos/val/bee/2.jpg        your own splits (valid, validation too)
        photos/unknown/3.jpg                                beside two classes or more: strangers
        list.csv: path,label[,split][,group]                paths relative to the CSV file
        list.csv: path,labels[,split][,group]               several labels: cat|dog, or none
        packed/index.json, packed/shard-00000.tar           what `darter pack` has written
        Annotations/1.xml, COCO's JSON, labels/1.txt, …     boxes, see `annotations`
        list.csv: filename,class,xmin,ymin,xmax,ymax        boxes, a row each
        list.csv: path,caption                              sentences, a row each

    Folders below a class folder belong to that class. Hidden files, Thumbs.db and __MACOSX are
    ignored; every other file is listed, `scan` says which ones are pictures.
    test: the name of a subfolder of `root`, or another folder or CSV file: the test split. A
        test/ folder of `root` is then left aside.
    strangers: False for a folder `unknown` that is a class like any other.

    Raises DataError where there is nothing to learn from, and says what to do.
    """
    listing = survey_samples(root, test=test, strangers=strangers)
    check_listing(listing)
    return listing


def check_listing(listing: Listing) -> None:
    """Raise DataError where there is nothing to learn from, whatever the pictures look like."""
    if not listing.samples:
        raise DataError(_nothing_found(listing.root))
    learned = {name for s in listing.samples if s.split in (None, "train") for name in s.labels}
    strange = sorted(set(listing.classes) - learned)
    if strange and learned:
        raise DataError(_not_learned(listing, strange, sorted(learned)))
    if listing.task == "caption":
        return
    if not learned and listing.task == "detect":
        raise DataError(f"{visible(listing.root)}: no box is marked in any picture to learn from.")
    if len(learned) < 2 and listing.task != "detect":
        raise DataError(_too_few_classes(listing, sorted(learned)))


def _inner_test(root: Path, test: Path | str | None) -> str | None:
    """The name of the subfolder that `test` means, if it means one."""
    if test is None or not root.is_dir():
        return None
    inner = root / test
    if inner.is_dir() and inner.parent == root:
        return inner.name
    return None


def _with_test(listing: Listing, test: Path | str) -> Listing:
    inner = _inner_test(listing.root, test)
    notes = listing.notes
    keep = [s for s in listing.samples if s.split != "test"]
    if len(keep) < len(listing.samples):
        aside = len(listing.samples) - len(keep)
        notes = (
            *notes,
            f"left aside: {count(aside, 'file')} of the given test split; test is {test}",
        )
    if inner is not None:
        found = below_classes(listing.root / inner, "test")
    else:
        other = Path(test)
        if not other.exists():
            raise DataError(
                f"the test split {test} is neither a folder in {listing.root} nor a folder or CSV "
                "file of its own. Give the name of a subfolder or a path."
            )
        given = _list(other, None)
        if given.task != listing.task:
            raise DataError(
                f"{listing.root} and the test split {other} must both have one label per picture "
                "(label) or both any number (labels)."
            )
        found = [replace(s, split="test") for s in given.samples]
    if not found:
        raise DataError(f"the test split {test} holds no files in class folders. {LAYOUT}.")
    samples = sorted([*keep, *found], key=lambda sample: str(sample.path))
    return replace(listing, samples=tuple(samples), notes=notes)


def _list(root: Path, leave_out: str | None) -> Listing:
    refuse_url(root)
    try:
        is_folder, is_file = root.is_dir(), root.is_file()
    except OSError as error:
        raise DataError(f"cannot read {root}: {error.strerror}.") from error
    if is_file:
        if root.suffix.lower() == ".json":
            one = read_coco(root)
            return Listing(root, one.kind, one.samples, one.notes, task_of(one.samples))
        if root.suffix.lower() not in (".csv", ".tsv"):
            raise DataError(f"{root} is a file. {LAYOUT}.")
        rows = read_table(root)
        if rows is not None:
            return Listing(root, "csv", tuple(rows), task=task_of(rows))
        samples, notes = read_csv(root)
        return Listing(root, "csv", tuple(samples), tuple(notes), task_of(samples))
    if not is_folder:
        raise DataError(f"{root} does not exist. {LAYOUT}.")
    if is_pack(root):
        pack = open_pack(root)
        task = task_of(pack.samples)
        return Listing(root, "pack", pack.samples, task=task, strangers=pack.strangers)
    folders, files = entries_of(root)
    if any(f.name.startswith("shard-") and f.suffix == ".tar" for f in files):
        raise DataError(
            f"{root} holds shards but no {INDEX}: packing was interrupted, or the index was not "
            "copied. Run `darter pack` again, or copy the index."
        )
    marked = annotated(root)
    if marked is not None:
        return Listing(root, marked.kind, marked.samples, marked.notes, task_of(marked.samples))
    folders = [f for f in folders if f.name != leave_out]
    splits, notes = split_folders(folders)
    if splits:
        samples = []
        for folder in splits:
            split = SPLIT_NAMES[folder.name.lower()]
            found = below_classes(folder, split)
            if not found:
                number = sum(1 for _ in files_below(folder, set()))
                notes.append(
                    f"left aside: {visible(folder.name)}/, {count(number, 'file')}, no class folder"
                )
            samples += found
    else:
        samples = below_classes(root, None, leave_out)
    notes += odd_folders(splits or [root], {s.label for s in samples}, leave_out)
    kind = "splits" if splits else "classes"
    if files:
        beside = {"splits": "split", "classes": "class"}[kind]
        some = count(len(files), "file")
        notes.append(
            f"{some} beside the {beside} folders left aside, e.g. {visible(files[0].name)}"
        )
    samples.sort(key=lambda sample: str(sample.path))
    return Listing(root, kind, tuple(samples), tuple(notes))


def _nothing_found(root: Path) -> str:
    folders, files = entries_of(root) if root.is_dir() else ([], [])
    if files:
        return f"{root} holds {len(files)} files but no class folder with files in it. {LAYOUT}."
    if not folders:
        return f"{root} is empty. {LAYOUT}."
    return f"{root} holds only empty folders, e.g. {visible(folders[0].name)}/. {LAYOUT}."


def _not_learned(listing: Listing, strange: list[str], learned: list[str]) -> str:
    found = {s.split or "" for s in listing.samples if not set(strange).isdisjoint(s.labels)}
    sides = " and ".join(sorted(found))
    verb = "split has" if len(found) == 1 else "splits have"
    return (
        f"{visible(listing.root)}: only the {sides} {verb} the class{_es(strange)} "
        f"{_names(strange)}; training has {_names(learned)}. A class without training pictures "
        "cannot be learned: give all splits the same class names, or leave out what training lacks."
    )


def _too_few_classes(listing: Listing, learned: list[str]) -> str:
    root = visible(listing.root)
    if not learned:
        have = " and ".join(sorted({s.split or "" for s in listing.samples}))
        return f"{root} holds a {have} split only; there is nothing to train on. {LAYOUT}."
    message = f"{root} holds one class only ({visible(learned[0])}); at least two are needed."
    inner = listing.root / learned[0]
    if listing.kind == "classes" and inner.is_dir() and len(entries_of(inner)[0]) > 1:
        message += f" Perhaps you mean {visible(inner)}?"
    return message


def _names(labels: list[str], most: int = 5) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(map(visible, labels[:most])) + more


def _es(items: list[str]) -> str:
    return "es" if len(items) > 1 else ""
