"""What the figures do not say, and how to make them again."""

from darter.report.records import Record, Records
from darter.report.sections.shared import calibration


def limits(records: Records) -> Record:
    found = records.run.get("result")
    evaluation = records.evaluation or {}
    rows = evaluation.get("per_class") or evaluation.get("per_label") or []
    return {
        "missing": None,
        "found": found,
        "unseen": found is not None and found.get("split") == "test",
        "small": [row["label"] for row in rows if row.get("count", 10) < 10],
        "unknown_below": calibration(records).get("unknown_below"),
    }


def making(records: Records) -> Record:
    run = records.run
    return {
        "missing": None,
        "command": run.get("command"),
        "seed": run.get("seed"),
        "backbone": run.get("backbone") or {},
        "machine": run.get("machine") or {},
        "versions": run.get("versions") or {},
        "seconds": list((run.get("seconds") or {}).items()),
        "recipe": records.recipe,
        "folder": str(records.folder.resolve()),
    }
