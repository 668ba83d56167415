"""How to use the model."""

import shlex

from darter.report.records import Record, Records
from darter.report.sections.shared import calibration, shown


def use(records: Records) -> Record:
    model = records.folder / "model.onnx"
    name = shown(model)
    return {
        "missing": None if model.is_file() else "The run has not written a model file yet.",
        "model": name,
        "quoted": shlex.quote(name),
        "literal": repr(name),
        "pip": "pip install path/to/darter",
        "says": "labels" if records.task == "multilabel" else "label",
        "unknown_below": calibration(records).get("unknown_below"),
        "evaluated": (records.run.get("result") or {}).get("n"),
    }
