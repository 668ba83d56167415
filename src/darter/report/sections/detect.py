"""What a detector finds, misses and tells wrongly."""

from collections import Counter

from darter.report.records import Record, Records
from darter.report.sections.facts import limits
from darter.report.sections.shared import not_evaluated
from darter.report.sections.speed import speed
from darter.report.sections.use import use

MARKS = ("best", "plain", "out")  # of curves: the hardest class first


def detect_classes(records: Records) -> Record:
    found = records.evaluation or {}
    rows = found.get("per_class")
    if not rows:
        return {"missing": not_evaluated(records)}
    ordered = sorted(rows, key=lambda row: (row["ap50"] is None, row["ap50"] or 0, row["label"]))
    curves = {curve["label"]: curve for curve in found.get("curves", [])}
    named = [row["label"] for row in ordered if curves.get(row["label"], {}).get("recall")][:6]
    series = [
        (
            label,
            MARKS[min(k, 1)],
            list(zip(curves[label]["recall"], curves[label]["precision"], strict=True)),
        )
        for k, label in enumerate(named)
    ]
    return {
        "missing": None,
        "rows": ordered,
        "n": found["n"],
        "ap": found["ap"],
        "ap_interval": found["intervals"]["ap"],
        "series": series,
        "unmarked": found.get("unmarked", []),
        "forgotten": [row for row in ordered if row.get("unmarked")],
    }


def detect_misses(records: Records) -> Record:
    found = records.explain
    if found is None or "detections" not in found:
        return {"missing": "No pictures were chosen to show in this run."}
    shown = [
        item | {"missed": _counted(item["missed"]), "false": _counted(item["false"])}
        for item in found["detections"]
    ]
    return {"missing": None, "shown": shown, "wrong": found["wrong"], "n": found["n"]}


def _counted(labels: list[str]) -> str:
    return ", ".join(f"{number} {label}" for label, number in Counter(labels).most_common())


detect_use, detect_speed, detect_limits = use, speed, limits
