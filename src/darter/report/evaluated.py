"""A page about one evaluation: its figures, and a picture of each of its worst mistakes."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darter.errors import DataError
from darter.files import write_atomic
from darter.model import drawn, marks_of, mistakes_of, wrong_boxes
from darter.picture import decode, thumbnail
from darter.report.html import SECTIONS, render
from darter.report.records import Record, Records
from darter.report.sections.mistakes import is_wrong

SHOWN_DETECTIONS, DETECTION_SIDE = 24, 720  # pictures, pixels of their long side
SHOWN = 120  # mistakes with their pictures
THUMBNAIL = 360  # pixels of the long side
TOLD = ("confusion", "classes", "labels", "confidence", "mistakes")  # sections


def write_evaluation(
    record: Mapping[str, Any], out: Path, *, title: str, task: str = "classify"
) -> None:
    """Write one self-contained page.

    record: `Evaluation.to_json()`; each of its predictions has the path of its picture.
    Raises MissingExtraError where jinja2 is not installed.
    """
    wrong = [p for p in record["predictions"] if is_wrong(p)]
    worst = sorted(wrong, key=lambda p: (p.get("rightness", 0), -p["confidence"]))[:SHOWN]
    pictures = {p["path"]: _thumbnail(p["path"]) for p in worst}
    result = {
        "measure": record.get("measure", "accuracy"),
        "split": record["split"],
        **{key: record.get(key) for key in ("n", "accuracy", "interval", "caution", "majority",
                                            "balanced_accuracy", "macro_f1")},
    }  # fmt: skip
    if task == "multilabel":
        result |= {"measure": "mean average precision"}
        result |= {"accuracy": record["mean_average_precision"]}
    records = Records(
        folder=out.parent,
        run={"state": "done", "evaluates": title, "result": result},
        audit={"root": title, "task": task, "classes": _classes(record)},
        evaluation=dict(record),
        explain={"mistakes": [_shown(p, pictures) for p in worst], "heatmaps": False},
    )
    sections = tuple(s for s in SECTIONS[task] if s[0] in TOLD)
    write_atomic(out, render(records, sections=sections, picture=lambda uri: uri))


def write_detections(record: Mapping[str, Any], out: Path, *, title: str) -> None:
    """Write one self-contained page about a detector: its figures, and its worst pictures.

    record: `DetectionEvaluation.to_json()`; each of its predictions has the path of its picture.
    """
    worst = sorted(record["predictions"], key=lambda entry: -wrong_boxes(entry))
    shown = [
        {"path": entry["path"], "picture": _marked(entry), **mistakes_of(entry)}
        for entry in worst[:SHOWN_DETECTIONS]
        if wrong_boxes(entry)
    ]
    told = ("measure", "accuracy", "interval", "n", "split")
    records = Records(
        folder=out.parent,
        run={
            "state": "done",
            "evaluates": title,
            "result": {key: record[key] for key in told},
        },
        audit={
            "root": title,
            "task": "detect",
            "classes": [row["label"] for row in record["per_class"]],
        },
        evaluation=dict(record),
        explain={
            "detections": shown,
            "wrong": sum(wrong_boxes(entry) > 0 for entry in record["predictions"]),
            "n": record["n"],
        },
    )
    sections = tuple(s for s in SECTIONS["detect"] if s[0] in ("detect_classes", "detect_misses"))
    write_atomic(out, render(records, sections=sections, picture=lambda uri: uri))


def _marked(entry: Record) -> str | None:
    """The picture with its boxes as a data URI; None where it can no longer be read."""
    try:
        pixels = decode(Path(entry["path"])).pixels
    except DataError:
        return None
    content = base64.b64encode(drawn(pixels, marks_of(entry), side=DETECTION_SIDE))
    return f"data:image/jpeg;base64,{content.decode()}"


def _classes(record: Mapping[str, Any]) -> list[str]:
    return [row["label"] for row in record.get("per_class") or record["per_label"]]


def _shown(prediction: Record, pictures: Mapping[str, str | DataError]) -> Record:
    found = pictures[prediction["path"]]
    if isinstance(found, str):
        return prediction | {"picture": found}
    return prediction | {"picture": None, "error": str(found)}


def _thumbnail(path: str) -> str | DataError:
    """A small JPEG as a data URI, or why there is none."""
    try:
        content = thumbnail(Path(path), THUMBNAIL)
    except DataError as error:
        return error
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
