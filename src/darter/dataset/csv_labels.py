"""What the label column of a list holds: classes, several labels in a cell, or measurements.

The task is named by the user, in the header: `label` is one class, `labels` are several (see
labels.py). Here is seen where a column does not hold what its name promises.
"""

from collections import Counter
from collections.abc import Sequence

from darter.dataset.labels import BETWEEN, COLUMN

FEWEST = 8  # rows from which on hardly repeating numbers are called measurements
_FLAGS = {"0", "1", "0.0", "1.0", "true", "false", "yes", "no", ""}


def not_classes(labels: Sequence[str]) -> str | None:
    """Why a column of labels is not one of classes, or None; a sentence for a person."""
    kinds = Counter(labels)
    if _are_combinations(kinds):
        example = next(label for label in kinds if BETWEEN.search(label))
        return (
            f"the column label holds several labels in a cell, e.g. {example!r}. Name the column "
            f"{COLUMN} to learn them all, or leave one label in each cell."
        )
    if len(labels) >= FEWEST and len(kinds) > len(labels) / 2 and all(map(_is_number, kinds)):
        return (
            f"the column label holds numbers that hardly repeat ({len(kinds)} different ones in "
            f"{len(labels)} lines, e.g. {labels[0]}): a measurement, and darter learns classes, "
            "not numbers. Write a range into each cell instead, such as 0-10."
        )
    return None


def flag_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The names of columns that hold only 0 and 1 (true and false, yes and no)."""
    found = []
    for at, name in enumerate(header):
        cells = {row[at].strip().lower() for row in rows if at < len(row)}
        if name and cells - {""} and cells <= _FLAGS:
            found.append(name)
    return found


def _are_combinations(kinds: Counter[str]) -> bool:
    """Whether labels are put together from others: "cat;dog" beside "cat" and "dog;bird"."""
    parts = {label: {part.strip() for part in BETWEEN.split(label)} - {""} for label in kinds}
    used = Counter(part for of_one in parts.values() for part in of_one)
    several = [of_one for of_one in parts.values() if len(of_one) > 1]
    return bool(several) and all(used[part] > 1 for of_one in several for part in of_one)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
