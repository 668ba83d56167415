"""Read lists as spreadsheets write them: `path,label[,split][,group]`, or `labels` for several."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from darter.dataset.labels import COLUMN as LABELS
from darter.dataset.labels import split_labels
from darter.dataset.sample import SPLIT_NAMES, Sample
from darter.errors import DataError

COLUMNS = ("path", "label", "labels", "split", "group")


def read_csv(file: Path) -> tuple[list[Sample], list[str]]:
    """(samples sorted by path, notes). Comma, semicolon or tab; a byte-order mark is fine.

    Relative paths are relative to the CSV file. A file that is not there is left to `scan`, which
    names it, unless none is there.
    Raises DataError with the line number for a missing column or label, a path given twice or an
    unknown split.
    """
    rows = _rows(file)
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    lacking = [] if "path" in header else ["path"]
    if "label" not in header and LABELS not in header:
        lacking.append("label")
    if lacking:
        raise DataError(
            f"{file}: the first line must name the columns path and label (split and group may "
            f"follow; labels instead of label where pictures have several, as cat|dog); "
            f"{' and '.join(lacking)} not found in: {', '.join(header) or 'nothing'}."
        )
    if "label" in header and LABELS in header:
        raise DataError(f"{file} has both columns, label and labels. Keep the one that is meant.")
    position = {name: header.index(name) for name in COLUMNS if name in header}
    samples: list[Sample] = []
    line_of: dict[Path, int] = {}
    for line, row in rows[1:]:
        cell = {name: row[at].strip() if at < len(row) else "" for name, at in position.items()}
        sample = _sample(file, line, cell)
        if sample.path in line_of:
            raise DataError(
                f"{file}: lines {line_of[sample.path]} and {line} name the same file "
                f"{cell['path']}. Keep one of them."
            )
        line_of[sample.path] = line
        samples.append(sample)
    if not samples:
        raise DataError(f"{file} lists no pictures. Add lines with path and label.")
    if not any(sample.path.exists() for sample in samples):
        raise DataError(
            f"{file}: none of its {len(samples)} files is there, e.g. {samples[0].path}. "
            f"Paths are taken relative to {file.parent.absolute()}."
        )
    ignored = [name for name in header if name and name not in COLUMNS]
    notes = [f"columns not used: {', '.join(ignored)}"] if ignored else []
    return sorted(samples, key=lambda sample: str(sample.path)), notes


def _sample(file: Path, line: int, cell: dict[str, str]) -> Sample:
    for name in ("path", "label"):
        if not cell.get(name, name):
            raise DataError(f"{file}, line {line}: the {name} is empty.")
    split = cell.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise DataError(
            f"{file}, line {line}: the split is {split!r}; expected train, val, test or nothing."
        )
    path = file.parent / cell["path"]
    if "\\" in cell["path"] and not path.exists():  # written on Windows
        path = file.parent / cell["path"].replace("\\", "/")
    target = split_labels(cell[LABELS]) if LABELS in cell else cell["label"]
    return Sample(path, target, SPLIT_NAMES.get(split), cell.get("group") or None)


def _rows(file: Path) -> list[tuple[int, Sequence[str]]]:
    """(line number, cells) of the lines that are not blank."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not UTF-8 text: {error.reason}. Save it as CSV UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}.") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: {error}.") from error
