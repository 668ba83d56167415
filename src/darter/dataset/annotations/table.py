"""A CSV file with a row per box (filename, class, xmin, ymin, xmax, ymax), or a row per caption.

The columns may stand in any order and have any of their usual names. Without a header, six columns
are path, x0, y0, x1, y1, class (as keras-retinanet writes them).
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from darter.dataset.annotations.numbers import Broken, coordinate, name, size
from darter.dataset.boxes import Box, Boxes, Captions, Flaw
from darter.dataset.csv_paths import Paths
from darter.dataset.csv_text import read_rows
from darter.dataset.sample import SPLIT_NAMES, Sample
from darter.errors import DataError
from darter.names import visible

USUAL = {
    "path": ("path", "filename", "file_name", "image", "image_path", "imageid", "image_id", "file"),
    "label": ("label", "class", "class_name", "category", "name", "labelname"),
    "x0": ("xmin", "x_min", "x0", "x1", "left"),
    "y0": ("ymin", "y_min", "y0", "y1", "top"),
    "x1": ("xmax", "x_max", "x1", "x2", "right"),
    "y1": ("ymax", "y_max", "y1", "y2", "bottom"),
    "width": ("width", "image_width", "img_width"),
    "height": ("height", "image_height", "img_height"),
    "split": ("split", "set", "subset"),
    "group": ("group",),
}
SIDES = ("x0", "y0", "x1", "y1")
BARE = ("path", *SIDES, "label")
CAPTION = ("caption", "captions", "sentence")


def columns_of(cells: Sequence[str]) -> dict[str, int] | None:
    """{what: column} of a header that names boxes; of a bare first row; None for other lists."""
    named = [cell.strip().lower() for cell in cells]
    taken: dict[str, int] = {}
    for what, names in USUAL.items():
        at = [named.index(n) for n in names if n in named and named.index(n) not in taken.values()]
        if at:
            taken[what] = at[0]
    if all(what in taken for what in (*SIDES, "path", "label")):
        return taken
    if len(named) == 6 and "." in named[0] and named[5] and _all_numbers(named[1:5]):
        return {what: k for k, what in enumerate(BARE)}
    return None


def caption_columns(cells: Sequence[str]) -> dict[str, int] | None:
    """{what: column} of a header that names captions; None for other lists."""
    named = [cell.strip().lower() for cell in cells]
    caption = next((named.index(n) for n in CAPTION if n in named), None)
    taken = {what: named.index(n) for what in ("path", "split", "group")
             for n in reversed(USUAL[what]) if n in named}  # fmt: skip
    return {**taken, "caption": caption} if caption is not None and "path" in taken else None


def _all_numbers(cells: Sequence[str]) -> bool:
    try:
        return all(coordinate(cell) is not None for cell in cells)
    except Broken:
        return False


def read_table(file: Path) -> list[Sample] | None:
    """The pictures of a CSV of boxes or captions; None where it is another list."""

    def known(cells: list[str]) -> bool:
        return columns_of(cells) is not None or caption_columns(cells) is not None

    rows = read_rows(file, known)
    if not rows or not known(rows[0][1]):
        return None
    header = rows[0][1]
    columns = columns_of(header)
    if columns is None:
        columns = caption_columns(header)
        assert columns is not None
    has_header = "caption" in columns or not _all_numbers([header[columns[s]] for s in SIDES])
    entries: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for line, row in rows[has_header:]:
        cell = {what: row[k].strip() if k < len(row) else "" for what, k in columns.items()}
        entries[cell["path"]].append((line, cell))
    paths, samples = Paths(file.parent), []
    for path, lines in entries.items():
        if not path:
            raise DataError(f"{visible(file)}, line {lines[0][0]}: the path is empty.")
        target = _captions(lines) if "caption" in columns else _boxes(lines)
        split, group = _one(file, path, lines, "split"), _one(file, path, lines, "group")
        samples.append(
            Sample(paths.find(path), target, SPLIT_NAMES.get(split.lower()), group or None)
        )
    return sorted(samples, key=lambda sample: str(sample.path))


def _one(file: Path, path: str, lines: list[tuple[int, dict[str, str]]], what: str) -> str:
    """What all rows of a picture say; DataError where they contradict each other."""
    said = {cell.get(what, "") for _, cell in lines}
    if len(said) > 1:
        both = " and ".join(sorted(map(repr, said))[:2])
        raise DataError(f"{visible(file)}: the rows of {visible(path)} name two {what}s, {both}.")
    return said.pop()


def _captions(lines: list[tuple[int, dict[str, str]]]) -> Captions:
    texts = (" ".join(cell["caption"].split()) for _, cell in lines)
    return Captions(tuple(text for text in texts if text))


def _boxes(lines: list[tuple[int, dict[str, str]]]) -> Boxes:
    """A row whose class and corners are all empty says that the picture has no boxes."""
    boxes: list[Box] = []
    flaws: list[Flaw] = []
    for line, cell in lines:
        if not any(cell[what] for what in (*SIDES, "label")):
            continue
        try:
            x0, y0, x1, y1 = (coordinate(cell[side]) for side in SIDES)
            boxes.append(Box(name(cell["label"]), (x0, y0, x1, y1)))
        except Broken as error:
            flaws.append(("broken box", f"line {line}: {error}"))
    first = lines[0][1]
    return Boxes(tuple(boxes), size(first.get("width"), first.get("height")), flaws=tuple(flaws))
