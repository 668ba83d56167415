"""Predictions as they come: JSON lines, CSV, or a table for people. Nothing is kept."""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from rich.cells import cell_len

from darter.model import Prediction
from darter.names import to_cell, to_json, visible
from darter.picture import KINDS

DOUBTS = ("beyond the range", "dark 16-bit", "wholly transparent")  # the net may see nothing of it
FIRST = 16  # the table's columns are laid out for this many rows


@dataclass
class Tally:
    """How many pictures came by, and how they fared."""

    pictures: int = 0
    unknown: int = 0
    unreadable: int = 0

    def watch(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        for prediction in predictions:
            self.pictures += 1
            self.unknown += prediction.unknown
            self.unreadable += prediction.error is not None
            yield prediction


def json_lines(predictions: Iterable[Prediction], top: int) -> Tally:
    """One object a line; keys as in `Prediction.to_json`."""
    tally = Tally()
    for prediction in tally.watch(predictions):
        print(to_json(prediction.to_json()), flush=True)
    return tally


def csv_rows(predictions: Iterable[Prediction], top: int) -> Tally:
    """A header, then path, label, confidence, unknown, error, the `top` likeliest classes, notes.

    Names are as `darter.names.to_cell` spells them; on a terminal, as `visible` does.
    """
    tally, out = Tally(), csv.writer(sys.stdout, lineterminator="\n")
    on_screen = sys.stdout.isatty()
    ranks = [f"{what}_{rank}" for rank in range(1, top + 1) for what in ("label", "confidence")]
    out.writerow(["path", "label", "confidence", "unknown", "error", *ranks, "notes"])
    for prediction in tally.watch(predictions):
        row = prediction.to_json()
        labels = "|".join(row["labels"]) or None
        known = [row["path"], labels, row["confidence"], row["unknown"], row["error"]]
        if prediction.error:
            known[2:4] = ["", ""]
        ranked = [value for pair in row["top"] for value in pair]
        cells = [to_cell(value) for value in (*known, *ranked)]
        if on_screen:
            cells = [visible(cell) if isinstance(cell, str) else cell for cell in cells]
        out.writerow([*cells, *[""] * (len(ranks) - len(ranked)), "|".join(row["notes"])])
        sys.stdout.flush()
    return tally


def table(predictions: Iterable[Prediction], top: int) -> Tally:
    """Aligned columns; in color and cut to the window's width on a terminal."""
    tally, coming = Tally(), iter(predictions)
    first = list(islice(coming, FIRST))
    paths = max((cell_len(visible(p.source)) for p in first), default=0)
    labels = max((cell_len(visible(_answer(p))) for p in first), default=0)
    if not sys.stdout.isatty():
        for prediction in tally.watch(_chain(first, coming)):
            print("".join(text for text, _ in _row(prediction, paths, labels)).rstrip(), flush=True)
        return tally

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    paths, labels = min(paths, console.width // 2), min(labels, console.width // 4)
    for prediction in tally.watch(_chain(first, coming)):
        cells = _row(prediction, paths, labels)
        cells[0] = (_tail(cells[0][0].rstrip(), paths) + "  ", "")
        line = Text.assemble(*cells)
        line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)
    return tally


def _row(prediction: Prediction, paths: int, labels: int) -> list[tuple[str, str]]:
    """A table row as (text, style), with columns of at least these widths."""
    cells = [(_fill(visible(prediction.source), paths) + "  ", "")]
    if prediction.error is not None:
        return [*cells, (visible(prediction.error), "red")]
    style = "yellow" if prediction.unknown else "bold green"
    rest = [pair for pair in prediction.top if pair[0] not in prediction.labels]
    others = ", ".join(f"{visible(name)} {p:.1%}" for name, p in rest)
    doubts = "".join(f"  ({KINDS[note].meaning})" for note in prediction.notes if note in DOUBTS)
    return [
        *cells,
        (_fill(visible(_answer(prediction)), labels), style),
        (f"  {prediction.confidence:6.1%}  ", ""),
        (f"{'perhaps ' if prediction.unknown else ''}{others}", "dim"),
        (doubts, "yellow"),
    ]


def _answer(prediction: Prediction) -> str:
    """ "bee"; of several labels "bee, flower", or "none"; "unknown" below the threshold."""
    if prediction.unknown:
        return "unknown"
    return ", ".join(prediction.labels) or "none"


def _chain(first: list[Prediction], rest: Iterator[Prediction]) -> Iterator[Prediction]:
    while first:
        yield first.pop(0)
    yield from rest


def _fill(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _tail(text: str, width: int) -> str:
    """The end of a path, which tells more than its beginning, in exactly `width` columns."""
    if cell_len(text) <= width:
        return _fill(text, width)
    while cell_len(text) > width - 1:
        text = text[1:]
    return _fill("…" + text, width)
