"""How the model was chosen: the kind of task, the race, the learning curve."""

from darter.report.records import Record, Records
from darter.report.sections.shared import not_raced, part_counts

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
    rows = _one_per_strategy(candidates)
    return {
        "missing": None,
        "raced": any(rung["epochs"] for c in candidates for rung in c.get("rungs") or []),
        "folds": max((r["folds"] for c in candidates for r in c.get("rungs") or []), default=1),
        "rows": rows,
        "tries": _every_try(candidates),
        "drawn": [row for row in rows if row.get("accuracy") is not None],
        "judged": sorted({row["pictures"] for row in rows if row.get("accuracy") is not None}),
        "counts": part_counts(records) or {},
        "chance": found.get("chance"),
        "budget": found.get("budget_seconds"),
        "spent": found.get("spent_seconds"),
        "why": (found.get("winner") or {}).get("why"),
        "winner": next((row["title"] for row in rows if row["status"] == "winner"), None),
        "challenge": records.challenge,
        "unchallenged": records.run.get("unchallenged"),
        "backbones": records.backbones,
    }


def _one_per_strategy(candidates: list[Record]) -> list[Record]:
    """A row for each strategy, at the learning rate at which it got furthest.

    Strategies that were not tried for one reason share a row. candidates: the best come first.
    """
    rows: list[Record] = []
    untried: dict[str, list[Record]] = {}
    for same in _by_strategy(candidates).values():
        best = same[0] if same[0]["status"] != "not tried" else _usual(same)
        rates = len({c.get("learning_rate") for c in same if c["status"] != "not tried"})
        row = {
            **best,
            "title": _name(best),
            "mark": MARKS.get(best["status"], "plain"),
            "rates": rates if rates > 1 else None,
        }
        if best["status"] == "not tried":
            untried.setdefault(best.get("why", ""), []).append(row)
        else:
            rows.append(row)
    shared = [
        {**found[0], "title": "; ".join(row["title"] for row in found), "pictures": None}
        for found in untried.values()
    ]
    return [*rows, *shared]


def _by_strategy(candidates: list[Record]) -> dict[str, list[Record]]:
    grouped: dict[str, list[Record]] = {}
    for candidate in candidates:
        grouped.setdefault(candidate["strategy"], []).append(candidate)
    return grouped


def _usual(same: list[Record]) -> Record:
    """Of candidates that were not tried, the one whose reason says least about its rate."""
    return min(same, key=lambda c: len(c.get("why", "")))


def _every_try(candidates: list[Record]) -> list[Record]:
    """Each round of each candidate that was tried, in their order."""
    return [
        {**rung, "title": _name(c), "learning_rate": c.get("learning_rate") or None}
        for c in candidates
        for rung in c.get("rungs") or []
    ]


def _name(candidate: Record) -> str:
    return candidate.get("title") or candidate["strategy"]


def growth(records: Records) -> Record:
    points = (records.race or {}).get("learning_curve") or []
    advice = (records.race or {}).get("advice")
    if len(points) < 2:
        return {"missing": advice or "No learning curve has been measured in this run."}
    return {"missing": None, "points": points, "advice": advice}
