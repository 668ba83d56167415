"""What a wish for a faster or smaller model led to, and what that cost."""

from darter.report.records import Record, Records


def arranged(records: Records) -> Record:
    """Only of runs that were asked for it."""
    found = records.arranged
    if not found:
        return {"absent": True}
    if "files" not in found:
        return {"missing": "The model that was wished for has not been compared yet."}
    kept = next((row for row in found["tried"] if row["kept"]), None)
    after = found["files"][-1].get("precision", "float32")
    shorter = None if after == "float32" else after
    return {"missing": None, "kept": kept, "shorter": shorter, **found}
