"""How the model was chosen: the kind of task, the race, the learning curve."""

from darter.report.records import Record, Records
from darter.report.sections.shared import not_raced

MARKS = {"winner": "best", "finished": "plain", "eliminated": "out", "not tried": "out"}


def cell(records: Records) -> Record:
    found = (records.race or {}).get("cell")
    if not found:
        return {"missing": not_raced(records)}
    return {
        "missing": None,
        "cell": found,
        "known": found["similarity"] != "unknown",
        "reasons": found.get("reasons", []),
    }


def race(records: Records) -> Record:
    found = records.race
    if not found or not found.get("candidates"):
        return {"missing": not_raced(records)}
    order = {status: rank for rank, status in enumerate(MARKS)}
    candidates = sorted(
        found["candidates"],
        key=lambda c: (order.get(c["status"], 9), -(c.get("accuracy") or 0)),
    )
    rows = _race_rows(candidates)
    return {
        "missing": None,
        "raced": any(rung["epochs"] for c in candidates for rung in c.get("rungs") or []),
        "folds": max((r["folds"] for c in candidates for r in c.get("rungs") or []), default=1),
        "rows": rows,
        "drawn": [row for row in rows if row.get("accuracy") is not None],
        "chance": found.get("chance"),
        "budget": found.get("budget_seconds"),
        "spent": found.get("spent_seconds"),
        "why": (found.get("winner") or {}).get("why"),
        "winner": next((row["title"] for row in rows if row["status"] == "winner"), None),
        "challenge": records.challenge,
    }


def _race_rows(candidates: list[Record]) -> list[Record]:
    """A row for each candidate; those that were not tried for one reason share a row."""
    titles = [c.get("title") or c["strategy"] for c in candidates]
    rows: list[Record] = []
    untried: dict[str, Record] = {}
    for candidate, title in zip(candidates, titles, strict=True):
        rate, status = candidate.get("learning_rate"), candidate["status"]
        name = f"{title}, rate {rate:g}" if titles.count(title) > 1 and rate else title
        row = {**candidate, "title": name, "note": status, "mark": MARKS.get(status, "plain")}
        if status != "not tried":
            rows.append(row)
        elif candidate.get("why", "") not in untried:
            blank = {"title": title, "titles": [title], "pictures": None, "seconds": None}
            untried[candidate.get("why", "")] = row | blank
        elif title not in (shared := untried[candidate["why"]])["titles"]:
            shared["titles"].append(title)
            shared["title"] = "; ".join(shared["titles"])
    return [*rows, *untried.values()]


def growth(records: Records) -> Record:
    points = (records.race or {}).get("learning_curve") or []
    advice = (records.race or {}).get("advice")
    if len(points) < 2:
        return {"missing": advice or "No learning curve has been measured in this run."}
    return {"missing": None, "points": points, "advice": advice}
