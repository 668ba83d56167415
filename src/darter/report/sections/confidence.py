"""Whether the confidence can be trusted."""

from darter.report.records import Record, Records
from darter.report.sections.curves import thresholds
from darter.report.sections.shared import calibration, not_evaluated


def confidence(records: Records) -> Record:
    found = records.evaluation or {}
    bins = [b for b in found.get("reliability") or [] if b["count"]]
    if not bins:
        return {"missing": not_evaluated(records)}
    return {
        "missing": None,
        "bins": bins,
        "surest": bins[-1],
        "ece": found.get("ece"),
        "ece_interval": found.get("ece_interval"),
        "says": found.get("confidence_says"),
        "calibration": calibration(records),
        "thresholds": thresholds(records),
        "strangeness": records.strangeness,
    }
