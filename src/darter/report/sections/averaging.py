"""Whether several looks at each picture, or several models, are worth their cost."""

from darter.report.records import Record, Records


def averaging(records: Records) -> Record:
    found = records.worth
    if not found:
        return {"missing": "Whether averaging over several looks helps was not measured."}
    if "rows" not in found:
        return {"missing": f"Whether averaging helps was not measured: {found['why']}."}
    differ = any(any(row["interval"] or ()) for row in found["rows"])
    return {
        "missing": None,
        "rows": found["rows"],
        "kept": found["kept"],
        "why": found["why"],
        "pictures": found["pictures"],
        "ensemble": records.ensemble,
        "drawn": [row for row in found["rows"] if _is_drawn(row)] if differ else [],
    }


def _is_drawn(row: Record) -> bool:
    """Weighted looks lie beside the plain ones, at the same cost: the table has them."""
    return bool(row["milliseconds"]) and (row["kept"] or not row["name"].endswith(", weighted"))
