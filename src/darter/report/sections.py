"""What each section of the page says: from records to the values that its template names.

A section returns {"missing": sentence} where its record is absent, else {"missing": None, …}.
Figures are taken from the records as they are; here they are only sorted, grouped and counted.
"""

import os
import shlex
from itertools import groupby
from pathlib import Path
from typing import Any

from darter.report.records import Record, Records

FILES_LISTED = 200  # of one kind of finding; the rest is in audit.json
PAIRS_LISTED = 20
MATRIX_AS_TABLE = 15  # classes; a larger matrix is drawn
ACTIONS = {
    "left out": "Left out: these files could not be used",
    "converted": "Used after a conversion",
    "noted": "Used, but worth knowing",
}
MARKS = {"winner": "best", "finished": "plain", "eliminated": "out", "not tried": "out"}


def result(records: Records) -> Record:
    """The head of the page."""
    run = records.run
    found = run.get("result")
    baseline = run.get("baseline")
    winner = _kept(records)
    rows = []
    if found:
        rows.append({**found, "title": "this model", "mark": "best"})
    if baseline and baseline["name"] != winner:
        rows.append({**baseline, "title": f"baseline: {_title(records, baseline['name'])}"})
    return {
        "name": _data_name(records),
        "started": run.get("started", "")[:10],
        "state": run.get("state", "unknown"),
        "found": found,
        "measure": (found or {}).get("measure", "accuracy"),
        "right": round(found["accuracy"] * found["n"]) if found else None,
        "unseen": found is not None and found.get("split") == "test",
        "verdict": run.get("verdict"),
        "baseline": baseline,
        "is_baseline": baseline is not None and baseline["name"] == winner,
        "rows": rows,
        "classes": run.get("classes") or (records.audit or {}).get("classes") or [],
        "speed": (records.speed or {}).get("milliseconds", {}).get("batch_1"),
        "megabytes": (records.speed or {}).get("file_megabytes"),
        "seconds": sum((run.get("seconds") or {}).values()) or None,
        "resume": f"darter train --resume {shlex.quote(_shown(records.folder))}",
    }


def use(records: Records) -> Record:
    model = records.folder / "model.onnx"
    name = _shown(model)
    return {
        "missing": None if model.is_file() else "The run has not written a model file yet.",
        "model": name,
        "quoted": shlex.quote(name),
        "literal": repr(name),
        "pip": "pip install path/to/darter",
        "says": "labels" if records.task == "multilabel" else "label",
        "unknown_below": _calibration(records).get("unknown_below"),
        "evaluated": (records.run.get("result") or {}).get("n"),
    }


def pictures(records: Records) -> Record:
    audit = records.audit
    if audit is None:
        return {"missing": "The folder has not been audited yet."}
    counts = {label: sum(per.values()) for label, per in audit.get("counts", {}).items()}
    findings = audit.get("findings", [])
    return {
        "missing": None,
        "total": sum(counts.values()),
        "counts": sorted(counts.items(), key=lambda item: (-item[1], item[0])),
        "largest": max(counts.values(), default=0),
        "imbalance": audit.get("imbalance"),
        "left_out": len({f["path"] for f in findings if f["action"] == "left out"}),
        "actions": [
            {"words": words, "groups": _by_kind(f for f in findings if f["action"] == action)}
            for action, words in ACTIONS.items()
            if any(f["action"] == action for f in findings)
        ],
        "duplicates": audit.get("duplicates", []),
        "near_duplicates": audit.get("near_duplicates", []),
        "conflicts": audit.get("conflicts", []),
        "notes": audit.get("notes", []),
        "listed": FILES_LISTED,
    }


def split(records: Records) -> Record:
    counts, how = records.run.get("counts"), (records.split or {}).get("how")
    if counts is None and records.split is not None:
        counts = {part: len(records.split.get(part, [])) for part in ("train", "val", "test")}
    if counts is None:
        return {"missing": "The pictures have not been split yet."}
    return {"missing": None, "counts": counts, "how": how, "total": sum(counts.values())}


def cell(records: Records) -> Record:
    found = (records.race or {}).get("cell")
    if not found:
        return {"missing": _not_raced(records)}
    return {"missing": None, "cell": found, "reasons": found.get("reasons", [])}


def race(records: Records) -> Record:
    found = records.race
    if not found or not found.get("candidates"):
        return {"missing": _not_raced(records)}
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


def training(records: Records) -> Record:
    epochs = records.epochs  # epoch 0, where there is one, was measured before any training
    if not any(epoch.get("loss") is not None for epoch in epochs):
        if str(_kept(records)).startswith("linear-probe"):
            return {
                "missing": "The winner is a linear classifier on a network that stays as it is. "
                "It is solved in one go, so there are no training curves to show."
            }
        if records.run.get("state") == "done":
            return {
                "missing": "No time was left to train: the model is the linear classifier that "
                "training starts from. More --time lets it train."
            }
        return {"missing": "No epoch has been trained yet."}
    return {
        "missing": None,
        "epochs": epochs,
        "last": epochs[-1],
        "loss": _series(epochs, "loss", "val_loss"),
        "accuracy": _series(epochs, "train_accuracy", "val_accuracy"),
    }


def confusion(records: Records) -> Record:
    found = (records.evaluation or {}).get("confusion")
    if not found or not found["labels"]:
        return {"missing": _not_evaluated(records)}
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
        return {"missing": _not_evaluated(records)}
    rows = sorted(rows, key=lambda r: (r["f1"] is None, r["f1"] or 0, r["label"]))
    return {"missing": None, "rows": rows}


def labels(records: Records) -> Record:
    """Of a model that gives any number of labels: each label's figures, hardest first."""
    found = records.evaluation or {}
    rows = found.get("per_label")
    if not rows:
        return {"missing": _not_evaluated(records)}

    def hardness(row: Record) -> tuple[bool, float, str]:
        score = row["average_precision"]
        return score is None, score or 0.0, row["label"]

    return {
        "missing": None,
        "rows": sorted(rows, key=hardness),
        "exact": found.get("exact"),
        "micro_f1": found.get("micro_f1"),
        "n": found.get("n"),
    }


def confidence(records: Records) -> Record:
    found = records.evaluation or {}
    bins = [b for b in found.get("reliability") or [] if b["count"]]
    if not bins:
        return {"missing": _not_evaluated(records)}
    return {
        "missing": None,
        "bins": bins,
        "fullest": max(bins, key=lambda b: b["count"]),
        "ece": found.get("ece"),
        "calibration": _calibration(records),
    }


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
        "heat": any(item.get("heatmap") for item in (*wrong, *found.get("samples", []))),
        "all_wrong": sum(_is_wrong(p) for p in predictions) or len(wrong),
        "asked": (evaluation or {}).get("n"),
    }


def _is_wrong(prediction: Record) -> bool:
    if "label" in prediction:
        return prediction["label"] != prediction["predicted"]
    return set(prediction["labels"]) != set(prediction["predicted"])


def speed(records: Records) -> Record:
    found = records.speed
    if found is None:
        return {"missing": "The speed of the model has not been measured yet."}
    times = [
        {"pictures": int(name.rpartition("_")[2] or 1), **values}
        for name, values in (found.get("milliseconds") or {}).items()
    ]
    return {
        "missing": None,
        "speed": found,
        "times": sorted(times, key=lambda t: t["pictures"]),
        "parity": records.parity,
        "machine": records.run.get("machine") or {},
    }


def limits(records: Records) -> Record:
    found = records.run.get("result")
    evaluation = records.evaluation or {}
    rows = evaluation.get("per_class") or evaluation.get("per_label") or []
    return {
        "missing": None,
        "found": found,
        "unseen": found is not None and found.get("split") == "test",
        "small": [row["label"] for row in rows if row["count"] < 10],
        "unknown_below": _calibration(records).get("unknown_below"),
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


def _kept(records: Records) -> str | None:
    """Name of the strategy whose model was kept."""
    kept = records.run.get("strategy") or (records.race or {}).get("winner") or {}
    return kept.get("name") or kept.get("strategy")


def _title(records: Records, strategy: str) -> str:
    """The race's own words for a strategy, or its name."""
    for candidate in (records.race or {}).get("candidates", []):
        if candidate["strategy"] == strategy and candidate.get("title"):
            return candidate["title"]
    return strategy


def _by_kind(findings: Any) -> list[Record]:
    ordered = sorted(findings, key=lambda f: (f["kind"], f["path"]))
    groups = [(kind, list(group)) for kind, group in groupby(ordered, key=lambda f: f["kind"])]
    groups.sort(key=lambda item: -len(item[1]))
    return [{"kind": kind, "count": len(g), "files": g[:FILES_LISTED]} for kind, g in groups]


def _series(epochs: tuple[Record, ...], train: str, val: str) -> list[tuple]:
    series = []
    for key, name, mark in ((train, "training", "plain"), (val, "held out", "best")):
        points = [(e["epoch"], e[key]) for e in epochs if e.get(key) is not None]
        if points:
            series.append((name, mark, points))
    return series


def _calibration(records: Records) -> Record:
    return (records.evaluation or {}).get("calibration") or {}


def _not_raced(records: Records) -> str:
    if records.run.get("state") == "done":
        return "No strategies were compared: the run used the one that it was given."
    return "The strategies have not been compared yet."


def _not_evaluated(records: Records) -> str:
    if records.evaluation is None and records.run.get("state") == "done":
        return "No pictures were left to test the model on, so this was not measured."
    return "The model has not been evaluated yet."


def _data_name(records: Records) -> str:
    root = (records.audit or {}).get("root") or records.folder.name
    return Path(root).name or str(root)


def _shown(path: Path) -> str:
    """The path as somebody in the working folder would type it."""
    resolved, here = path.resolve(), Path.cwd()
    return os.fspath(resolved.relative_to(here) if resolved.is_relative_to(here) else resolved)
