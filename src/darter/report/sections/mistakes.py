"""The worst mistakes, and some right answers."""

from darter.report.records import Record, Records


def mistakes(records: Records) -> Record:
    found, evaluation = records.explain, records.evaluation
    if found is None:
        return {"missing": "No pictures were chosen to show in this run."}
    wrong = found.get("mistakes", [])
    predictions = (evaluation or {}).get("predictions", [])
    return {
        "missing": None,
        "mistakes": wrong,
        "samples": found.get("samples", []),
        "heatmaps": found.get("heatmaps", True),
        "validation": found.get("validation"),
        "heat": any(item.get("heatmap") for item in (*wrong, *found.get("samples", []))),
        "all_wrong": sum(is_wrong(p) for p in predictions) or len(wrong),
        "asked": (evaluation or {}).get("n"),
    }


def is_wrong(prediction: Record) -> bool:
    """Whether an answer has another label than the picture, or others, or fewer."""
    if "label" in prediction:
        return prediction["label"] != prediction["predicted"]
    return set(prediction["labels"]) != set(prediction["predicted"])
