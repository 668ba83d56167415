"""Figures at every threshold: lines to look at, and the numbers as files inside the page."""

import csv
import io
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from darter.names import to_cell
from darter.report.records import Record, Records

NAMED = 3  # classes of a precision-recall chart, the hardest, where there are many
FEW = 6


def thresholds(records: Records) -> Record | None:
    """What each threshold of "unknown" would bring; None in records of older runs."""
    points = _recorded(records).get("threshold")
    if not points:
        return None
    keys = ("threshold", "answered", "accuracy")
    series = (("right", "best", "accuracy"), ("answered", "plain", "answered"))
    below = ((records.evaluation or {}).get("calibration") or {}).get("unknown_below")
    return {
        "series": [
            (name, mark, [(p["threshold"], p[key]) for p in points if p[key] is not None])
            for name, mark, key in series
        ],
        "at": (below, "the model\u2019s threshold") if below else None,
        "file": _file(keys, ([p[key] for key in keys] for p in points)),
    }


def precision_recall(records: Records) -> Record | None:
    """Each class's curve, the hardest named; None in records of older runs."""
    curves = _recorded(records).get("precision_recall")
    if not curves:
        return None
    hardest = sorted(curves, key=lambda curve: (curve["average_precision"], curve["label"]))
    named = {curve["label"] for curve in (hardest if len(curves) <= FEW else hardest[:NAMED])}
    series = [
        (
            curve["label"] if curve["label"] in named else "",
            "best" if curve is hardest[0] else "plain" if curve["label"] in named else "out",
            [(recall, precision) for _, precision, recall in curve["points"]],
        )
        for curve in reversed(hardest)
    ]
    rows = ((c["label"], *point) for c in curves for point in c["points"])
    return {
        "series": series,
        "hardest": hardest[0],
        "all_named": len(named) == len(curves),
        "file": _file(("label", "threshold", "precision", "recall"), rows),
    }


def _recorded(records: Records) -> Record:
    return (records.evaluation or {}).get("curves") or {}


def _file(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A CSV file as an address that holds it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        rounded = (f"{value:.6g}" if isinstance(value, float) else value for value in row)
        writer.writerow([to_cell(value) for value in rounded])
    return "data:text/csv;charset=utf-8," + quote(text.getvalue())
