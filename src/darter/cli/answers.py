"""Predictions as they come: JSON lines, CSV, or a table for people. Nothing is kept."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from darter.engine import Prediction

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
        print(json.dumps(prediction.to_json(), ensure_ascii=False), flush=True)
    return tally


def csv_rows(predictions: Iterable[Prediction], top: int) -> Tally:
    """A header, then path, label, confidence, unknown, error and the `top` likeliest classes."""
    tally, out = Tally(), csv.writer(sys.stdout, lineterminator="\n")
    ranks = [f"{what}_{rank}" for rank in range(1, top + 1) for what in ("label", "confidence")]
    out.writerow(["path", "label", "confidence", "unknown", "error", *ranks])
    for prediction in tally.watch(predictions):
        row = prediction.to_json()
        known = [row["path"], row["label"], row["confidence"], row["unknown"], row["error"]]
        if prediction.error:
            known[2:4] = ["", ""]
        out.writerow([*known, *(value for pair in row["top"] for value in pair)])
        sys.stdout.flush()
    return tally


def table(predictions: Iterable[Prediction], top: int) -> Tally:
    """Aligned columns, in color and cut to the window's width on a terminal."""
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    console, tally = Console(highlight=False), Tally()
    coming = iter(predictions)
    first = list(islice(coming, FIRST))
    paths = max((cell_len(p.source) for p in first), default=0)
    labels = max((cell_len(p.label or "unknown") for p in first), default=0)
    if console.is_terminal:
        paths, labels = min(paths, console.width // 2), min(labels, console.width // 4)

    def row(prediction: Prediction) -> Text:
        path = _visible(prediction.source)
        if console.is_terminal and cell_len(path) > paths:
            path = "…" + path[len(path) - paths + 1 :]
        text = Text(_fill(path, paths) + "  ", no_wrap=True, overflow="ellipsis")
        if prediction.error is not None:
            return text.append(_visible(prediction.error), "red")
        label = _visible(prediction.label or "unknown")
        if console.is_terminal:
            label = set_cell_size(label, labels)
        style = "yellow" if prediction.unknown else "bold green"
        text.append(_fill(label, labels), style)
        text.append(f"  {prediction.confidence:6.1%}")
        rest = prediction.top if prediction.unknown else prediction.top[1:]
        others = ", ".join(f"{_visible(name)} {p:.1%}" for name, p in rest)
        return text.append(f"  {'perhaps ' if prediction.unknown else ''}{others}", "dim")

    for prediction in tally.watch(_chain(first, coming)):
        line = row(prediction)
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        else:
            line.rstrip()
        console.print(line, soft_wrap=True)
    return tally


def _chain(first: list[Prediction], rest: Iterator[Prediction]) -> Iterator[Prediction]:
    while first:
        yield first.pop(0)
    yield from rest


def _visible(text: str) -> str:
    """Text that cannot move the cursor or break a row, whatever a file or class is called."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _fill(text: str, width: int) -> str:
    from rich.cells import cell_len

    return text + " " * (width - cell_len(text))
