"""Recognize annotated pictures in the layouts that they come in.

VOC       Annotations/*.xml, JPEGImages/, ImageSets/Main/train.txt …; or XML beside the pictures
COCO      annotations/instances_train2017.json, train2017/ …; or train/_annotations.coco.json
YOLO      images/train/, labels/train/*.txt, data.yaml; or train/images/, train/labels/
LabelMe   *.json beside the pictures
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darter.dataset.annotations import coco, labelme, voc, yolo
from darter.dataset.annotations.match import Pictures, part_of, part_of_path
from darter.dataset.annotations.numbers import Broken, read_json, read_text
from darter.dataset.audit import count
from darter.dataset.boxes import Boxes, Captions
from darter.dataset.sample import Sample
from darter.dataset.walk import files_below
from darter.errors import DataError
from darter.names import visible
from darter.picture import EXTENSIONS

SIDECARS = (voc.SUFFIX, yolo.SUFFIX, labelme.SUFFIX, ".yaml", ".yml", ".names", ".labels")
SNIFFED = 20  # files of a kind that decide what all of them are
SUFFIXES = frozenset().union(*EXTENSIONS.values())


@dataclass(frozen=True)
class Annotated:
    """What was found: samples sorted by path.   kind: "voc", "coco", "yolo", "labelme"."""

    kind: str
    samples: tuple[Sample, ...]
    notes: tuple[str, ...]


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def annotated(root: Path) -> Annotated | None:
    """The annotated pictures below a folder; None where there are no annotations.

    Raises DataError where a file that all depends on (COCO's JSON, YOLO's names) is damaged.
    """
    files = list(files_below(root, set()))
    sidecars = [file for file in files if file.suffix.lower() in SIDECARS]
    if not sidecars:
        return None
    pictures = Pictures(root, filter(_is_picture, files))
    for find in (_coco, _voc, _labelme, _yolo):
        found = find(root, sidecars, pictures)
        if found is not None:
            return found
    return None


def read_coco(file: Path) -> Annotated:
    """The pictures of one COCO file, which lie below its folder or the one above.

    Raises DataError where it is none.
    """
    root = file.parent.parent if file.parent.name.lower() == "annotations" else file.parent
    try:
        content = coco.load_coco(file)
    except Broken as error:
        raise DataError(f"{visible(file)} {error}; expected COCO's annotations.") from None
    pictures = Pictures(root, filter(_is_picture, files_below(root, set())))
    return _from_coco([(file, content)], pictures)


def _coco(root: Path, sidecars: list[Path], pictures: Pictures) -> Annotated | None:
    found: list[tuple[Path, Any]] = []
    for file in sidecars:
        if file.suffix.lower() != ".json" or not _looks_like_coco(file):
            continue
        try:
            found.append((file, coco.load_coco(file)))
        except Broken as error:
            raise DataError(f"{visible(file)} {error}. Mend it or take it away.") from None
    if not found:
        return None
    boxes = [each for each in found if not coco.has_captions(each[1])]
    notes = []
    if boxes and len(boxes) < len(found):
        notes.append("captions left aside; name their JSON file to train on them")
    named = [each for each in boxes if each[0].name.lower().startswith("instances")]
    chosen = named or boxes or found
    others = [visible(each[0].name) for each in boxes if each not in chosen]
    notes += [f"left aside: {', '.join(others)}"] if others else []
    result = _from_coco(chosen, pictures)
    return replace(result, notes=(*notes, *result.notes))


def _looks_like_coco(file: Path) -> bool:
    """By its beginning and its end: the lists may stand in any order, far from each other."""
    try:
        with file.open("rb") as stream:
            head = stream.read(1 << 16)
            if b'"shapes"' in head:
                return False
            size = stream.seek(0, 2)
            stream.seek(max(0, size - (1 << 16)))
            ends = head + stream.read()
    except OSError:
        return False
    return sum(key in ends for key in (b'"images"', b'"annotations"', b'"categories"')) >= 2


def _from_coco(files: list[tuple[Path, Any]], pictures: Pictures) -> Annotated:
    samples: dict[Path, Sample] = {}
    twice: set[Path] = set()
    for file, content in files:
        part = part_of(file.stem)
        for name, target in coco.read_content(content):
            path = pictures.named(name, file) or file.parent / name
            below = path.is_relative_to(pictures.root)
            inner = part_of_path(path, pictures.root) if below else None
            if path in samples:
                twice.add(path)
                continue
            samples[path] = Sample(path, target, part or inner)
    _flag(samples, twice)
    return _finish("coco", samples, pictures)


def _voc(root: Path, sidecars: list[Path], pictures: Pictures) -> Annotated | None:
    files = [f for f in sidecars if f.suffix.lower() == voc.SUFFIX and voc.is_voc(f)]
    if not files:
        return None
    samples = _one_each(files, pictures, voc.read_voc)
    parts = _image_sets(root)
    if parts:
        samples = {p: replace(s, split=parts.get(p.stem, s.split)) for p, s in samples.items()}
    return _finish("voc", samples, pictures)


def _image_sets(root: Path) -> dict[str, str]:
    """{stem: part} of ImageSets/Main/train.txt, val.txt, test.txt."""
    parts: dict[str, str] = {}
    for folder in (root / "ImageSets" / "Main", *root.glob("*/ImageSets/Main")):
        for part in ("test", "val", "train"):  # a picture of two parts is trained on, and said
            try:
                lines = read_text(folder / f"{part}.txt").splitlines()
            except Broken:
                continue
            parts |= {line.split()[0]: part for line in lines if line.strip()}
    return parts


def _labelme(root: Path, sidecars: list[Path], pictures: Pictures) -> Annotated | None:
    files = [f for f in sidecars if f.suffix.lower() == labelme.SUFFIX and pictures.beside(f)]
    if not any(map(_has_shapes, files[:: max(1, len(files) // SNIFFED)])):
        return None
    return _finish("labelme", _one_each(files, pictures, labelme.read_labelme), pictures)


def _has_shapes(file: Path) -> bool:
    """Whether a JSON file is LabelMe's; the picture inside it may stand before the shapes."""
    try:
        if b'"shapes"' in file.open("rb").read(1 << 12):
            return True
        return labelme.is_labelme(read_json(file))
    except (Broken, OSError):
        return False


def _yolo(root: Path, sidecars: list[Path], pictures: Pictures) -> Annotated | None:
    texts = [f for f in sidecars if f.suffix.lower() == yolo.SUFFIX and not yolo.is_list(f.name)]
    texts = [file for file in texts if pictures.beside(file) is not None]
    sniffed = texts[:: max(1, len(texts) // SNIFFED)]
    like = sum(map(yolo.is_yolo, sniffed))
    if not texts or 2 * like < len(sniffed) or not any(f.stat().st_size for f in texts):
        return None
    try:
        names, given, where = yolo.read_names(root, sidecars)
    except Broken as error:
        raise DataError(f"{visible(root)}: {error}. The classes' names stand there.") from None
    samples = _one_each(texts, pictures, lambda file: (yolo.read_yolo(file, names), ""))
    for picture in pictures.files:  # by YOLO's custom a picture without a file has no boxes
        samples.setdefault(picture, Sample(picture, Boxes(relative=True), None))
    samples = {
        path: replace(sample, split=part_of_path(path, root) or _given_part(path, root, given))
        for path, sample in samples.items()
    }
    found = _finish("yolo", samples, pictures)
    note = "no data.yaml or classes.txt names the classes: they are called class 0, class 1, …"
    if where:
        note = f"names of the classes from {where}"
    return replace(found, notes=(*found.notes, note))


def _given_part(path: Path, root: Path, given: dict[str, str]) -> str | None:
    """The part whose folder, or whose list of files, data.yaml names."""
    for part, text in given.items():
        for line in text.splitlines():
            told = line.strip().removeprefix("./").removeprefix("../").strip("/")
            if told.endswith(".txt"):
                try:
                    listed = read_text(root / told).splitlines()
                except Broken:
                    continue
                if any(Path(entry.strip()).name == path.name for entry in listed if entry.strip()):
                    return part
            elif told and f"/{told}/" in f"/{path.relative_to(root).as_posix()}":
                return part
    return None


def _one_each(
    files: list[Path], pictures: Pictures, read: Callable[[Path], tuple[Boxes, str]]
) -> dict[Path, Sample]:
    """A sample per annotation file; one whose picture is not there has a path that is not."""
    samples: dict[Path, Sample] = {}
    twice: set[Path] = set()
    for file in sorted(files):
        boxes, told = read(file)
        path = pictures.beside(file, told) or file.with_name(Path(told).name or file.stem)
        if path == file:
            path = file.with_suffix("")
        if path in samples:
            twice.add(path)
            continue
        samples[path] = Sample(path, boxes, part_of_path(path, pictures.root))
    _flag(samples, twice)
    return samples


def _flag(samples: dict[Path, Sample], twice: set[Path]) -> None:
    for path in twice:
        target = samples[path].target
        assert isinstance(target, Boxes | Captions)
        flaw = ("annotated twice", "only the first annotation is used")
        samples[path] = replace(samples[path], target=replace(target, flaws=(*target.flaws, flaw)))


def _finish(kind: str, samples: dict[Path, Sample], pictures: Pictures) -> Annotated:
    """With the pictures that no annotation speaks of, which are left out and named."""
    flaw = ("not annotated", "other pictures have annotations")
    for path in set(pictures.files) - set(samples):
        samples[path] = Sample(path, Boxes(flaws=(flaw,)), part_of_path(path, pictures.root))
    ordered = tuple(sorted(samples.values(), key=lambda sample: str(sample.path)))
    return Annotated(kind, ordered, tuple(_spelled_twice(ordered)))


def _spelled_twice(samples: tuple[Sample, ...]) -> list[str]:
    """Classes that differ in capitals or blanks only."""
    spelled: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        for label in sample.labels:
            spelled["".join(label.lower().split())][label] += 1
    return [
        "classes that differ in capitals or blanks only: "
        + ", ".join(f"{visible(n)} ({count(k, 'picture')})" for n, k in sorted(names.items()))
        for names in spelled.values()
        if len(names) > 1
    ]
