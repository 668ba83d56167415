"""The head of the page: how good the model is."""

import shlex

from darter.report.records import Record, Records
from darter.report.sections.shared import data_name, kept, shown, title

TOLD_APART = 0.01  # balanced accuracy and macro-F1 that are nearer to the accuracy say it again


def result(records: Records) -> Record:
    """The head of the page."""
    run = records.run
    found = run.get("result")
    baseline = run.get("baseline")
    winner = kept(records)
    rows = []
    if found:
        rows.append({**found, "title": "this model", "mark": "best"})
    if baseline and baseline["name"] != winner:
        rows.append({**baseline, "title": f"baseline: {title(records, baseline['name'])}"})
    majority, leaks = (found or {}).get("majority"), run.get("leaks") or {}
    cautions = ((found or {}).get("caution"), leaks.get("caution"))
    caution = ". ".join(filter(None, cautions)) or None
    if majority:
        always = f"always saying {majority['label']}"
        rows.append({"title": always, "accuracy": majority["accuracy"], "mark": "out"})
    return {
        "name": data_name(records),
        "started": run.get("started", "")[:10],
        "state": run.get("state", "unknown"),
        "found": found,
        "measure": (found or {}).get("measure", "accuracy"),
        "task": records.task,
        "right": round(found["accuracy"] * found["n"]) if found else None,
        "tested": found is not None and found.get("split") == "test",
        "alone": "evaluates" in run,  # an evaluation without a run around it
        "unseen": not leaks.get("alike"),
        "majority": majority,
        "unequal": _unequal(found or {}),
        "caution": caution,  # the verdict begins with it, and the headline says it already
        "verdict": (run.get("verdict") or "").removeprefix(f"{caution}. "),
        "baseline": baseline,
        "is_baseline": baseline is not None and baseline["name"] == winner,
        "rows": rows,
        "classes": run.get("classes") or (records.audit or {}).get("classes") or [],
        "speed": (records.speed or {}).get("milliseconds", {}).get("batch_1"),
        "megabytes": (records.speed or {}).get("file_megabytes"),
        "seconds": sum((run.get("seconds") or {}).values()) or None,
        "resume": f"darter train --resume {shlex.quote(shown(records.folder))}",
    }


def _unequal(found: Record) -> bool:
    """Whether counting every class alike tells another story than the accuracy."""
    others = [found.get("balanced_accuracy"), found.get("macro_f1")]
    return any(other is not None and abs(other - found["accuracy"]) >= TOLD_APART
               for other in others)  # fmt: skip
