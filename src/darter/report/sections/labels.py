"""What answers with several labels are worth, label by label."""

from darter.report.records import Record, Records
from darter.report.sections.curves import precision_recall
from darter.report.sections.shared import not_evaluated


def labels(records: Records) -> Record:
    """Of a model that gives any number of labels: each label's figures, hardest first."""
    found = records.evaluation or {}
    rows = found.get("per_label")
    if not rows:
        return {"missing": not_evaluated(records)}

    def hardness(row: Record) -> tuple[bool, float, str]:
        score = row["average_precision"]
        return score is None, score or 0.0, row["label"]

    return {
        "missing": None,
        "rows": sorted(rows, key=hardness),
        "exact": found.get("exact"),
        "micro_f1": found.get("micro_f1"),
        "n": found.get("n"),
        "curves": precision_recall(records),
    }
