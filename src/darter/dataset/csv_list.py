"""Read lists as spreadsheets write them: `path,label[,split][,group]`, or `labels` for several."""

from collections.abc import Sequence
from pathlib import Path

from darter.dataset.csv_labels import flag_columns, not_classes
from darter.dataset.csv_paths import Paths
from darter.dataset.csv_text import Rows, read_rows
from darter.dataset.labels import COLUMN as LABELS
from darter.dataset.labels import split_labels
from darter.dataset.sample import SPLIT_NAMES, Sample
from darter.errors import DataError
from darter.names import encodable, one_form, visible

MOST_LETTERS = 300  # of a header that an error repeats
COLUMNS = ("path", "label", "labels", "split", "group")


def read_csv(file: Path) -> tuple[list[Sample], list[str]]:
    """(samples sorted by path, notes). See `read_rows` for encodings and delimiters.

    Relative paths are relative to the CSV file; see `Paths` for how names are matched. A file that
    is not there is left to `scan`, which names it, unless none is there.
    Raises DataError with the line number for a missing column or label, a path given twice or an
    unknown split; and where the labels are no classes.
    """
    name = visible(file)
    rows = read_rows(file, lambda cells: not _lacking(_named(cells)))
    header = _named(rows[0][1]) if rows else []
    _check_header(name, header, rows[1:])
    position = {column: header.index(column) for column in COLUMNS if column in header}
    samples: list[Sample] = []
    seen: dict[Path, tuple[int, Sample]] = {}
    paths = Paths(file.parent)
    for line, row in rows[1:]:
        cell = {column: row[at].strip() if at < len(row) else "" for column, at in position.items()}
        sample = _sample(f"{name}, line {line}", cell, paths)
        if sample.path in seen:
            raise DataError(_twice(name, cell["path"], *seen[sample.path], line, sample))
        seen[sample.path] = line, sample
        samples.append(sample)
    if not samples:
        raise DataError(f"{name} lists no pictures. Add lines with path and label.")
    if not any(sample.path.exists() for sample in samples):
        raise DataError(
            f"{name}: none of its {len(samples)} files is there, e.g. {visible(samples[0].path)}. "
            f"Paths are taken relative to {visible(file.parent.absolute())}."
        )
    if "label" in header:
        reason = not_classes([sample.label for sample in samples])
        if reason:
            raise DataError(f"{name}: {reason}")
    ignored = [column for column in header if column and column not in COLUMNS]
    notes = [f"columns not used: {', '.join(ignored)}"] if ignored else []
    return sorted(samples, key=lambda sample: str(sample.path)), notes


def _named(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def _lacking(header: Sequence[str]) -> list[str]:
    lacking = [] if "path" in header else ["path"]
    return lacking if "label" in header or LABELS in header else [*lacking, "label"]


def _check_header(name: str, header: Sequence[str], rows: Rows) -> None:
    lacking = _lacking(header)
    flags = flag_columns(header, [row for _, row in rows]) if "label" in lacking else []
    if len(flags) > 1:
        raise DataError(
            f"{name} has a column of 0 and 1 for each class ({', '.join(flags[:5])}). Write the "
            f"names of a picture's classes into one column instead: label for one, or {LABELS} for "
            "several, as cat|dog."
        )
    if lacking:
        raise DataError(
            f"{name}: the first line must name the columns path and label (split and group may "
            f"follow; labels instead of label where pictures have several, as cat|dog); "
            f"{' and '.join(lacking)} not found in: {_cut(', '.join(header)) or 'nothing'}."
        )
    if "label" in header and LABELS in header:
        raise DataError(f"{name} has both columns, label and labels. Keep the one that is meant.")


def _cut(text: str) -> str:
    """No longer than a person reads; damaged files have columns of any length."""
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"


def _twice(name: str, path: str, line: int, first: Sample, other: int, second: Sample) -> str:
    if first.target == second.target:
        return f"{name}: lines {line} and {other} name the same file {path}. Keep one of them."
    return (
        f"{name}: lines {line} and {other} name the same file {path}, as {first.label} and as "
        f"{second.label}. Keep the right one; where both are right, write both into one line, in a "
        f"column {LABELS}, as {first.label}|{second.label}."
    )


def _sample(where: str, cell: dict[str, str], paths: Paths) -> Sample:
    for column in ("path", "label"):
        if not cell.get(column, column):
            raise DataError(f"{where}: the {column} is empty.")
    split = cell.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise DataError(f"{where}: the split is {split!r}; expected train, val, test or nothing.")
    label, group = (one_form(encodable(cell.get(name, ""))) for name in ("label", "group"))
    target = split_labels(one_form(encodable(cell[LABELS]))) if LABELS in cell else label
    return Sample(paths.find(cell["path"]), target, SPLIT_NAMES.get(split), group or None)
