"""What one-label answers are worth: what is mistaken for what, and each class."""

from darter.report.records import Record, Records
from darter.report.sections.curves import precision_recall
from darter.report.sections.shared import not_evaluated

PAIRS_LISTED = 20
MATRIX_AS_TABLE = 15  # classes; a larger matrix is drawn


def confusion(records: Records) -> Record:
    found = (records.evaluation or {}).get("confusion")
    if not found or not found["labels"]:
        return {"missing": not_evaluated(records)}
    labels, matrix = found["labels"], found["matrix"]
    pairs = [
        {"label": labels[i], "predicted": labels[j], "times": times, "of": sum(row)}
        for i, row in enumerate(matrix)
        for j, times in enumerate(row)
        if i != j and times
    ]
    pairs.sort(key=lambda pair: (-pair["times"], pair["label"], pair["predicted"]))
    return {
        "missing": None,
        "labels": labels,
        "matrix": matrix,
        "as_table": len(labels) <= MATRIX_AS_TABLE,
        "upright": len(labels) > 5 and max(map(len, labels)) > 3,
        "pairs": pairs[:PAIRS_LISTED],
        "more": max(0, len(pairs) - PAIRS_LISTED),
    }


def classes(records: Records) -> Record:
    rows = (records.evaluation or {}).get("per_class")
    if not rows:
        return {"missing": not_evaluated(records)}
    rows = sorted(rows, key=lambda r: (r["f1"] is None, r["f1"] or 0, r["label"]))
    evaluation = records.evaluation or {}
    return {
        "missing": None,
        "rows": rows,
        "curves": precision_recall(records),
        "balanced_accuracy": evaluation.get("balanced_accuracy"),
        "macro_f1": evaluation.get("macro_f1"),
    }
