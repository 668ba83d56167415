"""The pictures, what was wrong with them, and what each was used for."""

from itertools import groupby
from typing import Any

from darter.report.records import Record, Records
from darter.report.sections.shared import part_counts

FILES_LISTED = 200  # of one kind of finding; the rest is in audit.json
ACTIONS = {
    "left out": "Left out: these files could not be used",
    "converted": "Used after a conversion",
    "noted": "Used, but worth knowing",
}


def pictures(records: Records) -> Record:
    audit = records.audit
    if audit is None:
        return {"missing": "The folder has not been audited yet."}
    counts = {label: sum(per.values()) for label, per in audit.get("counts", {}).items()}
    findings = audit.get("findings", [])
    return {
        "missing": None,
        # One label each, or several: only of the former do the counts add up.
        "total": audit.get("pictures", sum(counts.values())),
        "objects": audit.get("objects") or {},
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
        "leaking": sum(f["kind"] == "near leak" for f in findings),
        "notes": audit.get("notes", []),
        "listed": FILES_LISTED,
    }


def _by_kind(findings: Any) -> list[Record]:
    ordered = sorted(findings, key=lambda f: (f["kind"], f["path"]))
    groups = [(kind, list(group)) for kind, group in groupby(ordered, key=lambda f: f["kind"])]
    groups.sort(key=lambda item: -len(item[1]))
    return [{"kind": kind, "count": len(g), "files": g[:FILES_LISTED]} for kind, g in groups]


def split(records: Records) -> Record:
    counts, how = part_counts(records), (records.split or {}).get("how")
    if counts is None:
        return {"missing": "The pictures have not been split yet."}
    return {"missing": None, "counts": counts, "how": how, "total": sum(counts.values())}
