"""One model in several precisions: accuracy, time, bytes and bit operations."""

from collections.abc import Mapping
from typing import Any

from darter.report.records import Record, Records


def precisions(records: Records) -> Record:
    """Only of runs in which several were measured."""
    if not records.precisions:
        return {"absent": True}
    return of_record(records.precisions)


def of_record(record: Mapping[str, Any]) -> Record:
    """What the template is given."""
    first = record["forms"][0]
    return {
        "missing": None,
        "labelled": first["score"] is not None,
        "measured": record["measure"],
        "n": record["n"],
        "why": record.get("why"),
        "rows": record["forms"],
        "whole": max(1, first["bit_operations"]),
        "drawn": [_drawn(form) for form in record["forms"]],
        "notes": precision_notes(record),
    }


def _drawn(form: Record) -> Record:
    """A dot of the chart: its height is accuracy, or without labels agreement with the first."""
    found, points = form["difference"], form["score"]
    if found is None:
        span, height = None, 1.0 if points is None else points
    elif points is None:
        height = found["agreement"]
        span = [end - 1 for end in found["agreement_interval"]]
    else:
        height, span = points, [end / 100 for end in found["points_interval"]]
    return {"name": form["name"], "score": height, "interval": span, "milliseconds": form["ms"],
            "kept": found is None}  # fmt: skip


def precision_notes(record: Mapping[str, Any]) -> list[str]:
    """What is to be known of the table, as sentences."""
    forms, notes = record["forms"], []
    if len(forms) > 1 and any(form["computes_in"] == "bfloat16" for form in forms):
        notes.append("bfloat16 computes with the float32 file: its bytes are those of that file.")
    made = record.get("int8")
    if made:
        layers, kept = made["layers"], len(made["float_layers"])
        notes.append(
            f"8 bits were made by {made['calibrated_by']} pictures, settings and layers chosen by "
            f"{made['chosen_by']} others; {layers - kept} of {layers} layers are in 8 bits."
        )
        if not made["met"]:
            lost, most = made["lost_when_chosen"], made["most_lost"]
            notes.append(
                f"darter quantize would refuse: {lost:.1f} points are lost on the pictures that "
                f"choose, and {most:g} may be."
            )
    slower = [form["name"] for form in forms[1:] if form["ms"] > forms[0]["ms"]]
    if slower:
        notes.append(f"Not faster than {forms[0]['name']} here: {', '.join(slower)}.")
    notes += [f"Without {each['name']}: {each['why']}." for each in record["left_out"]]
    notes.append(
        "A bit operation is a multiply-add times the bits of both factors: it stands for energy on "
        "hardware that has such units, and measures none."
    )
    return notes
