"""The model card that travels in a trained model's file."""

from pathlib import Path
from typing import Any

from darter.job.run import Run
from darter.train import Fitted


def card_of(run: Run, fitted: Fitted, metrics: tuple[str, ...], **own: Any) -> dict[str, Any]:
    """What a file says of its making, from the run's records.

    metrics: names of records in run.json.   own: what this kind of model says besides.
    """
    known = run.folder.run
    return {
        "data": {"name": Path(run.options.data).resolve().name, "counts": known["counts"]},
        "backbone": known["backbone"],
        "strategy": known["strategy"]["name"],
        "epochs": fitted.plan.epochs if fitted.plan else 0,
        **own,
        "metrics": {name: known[name] for name in metrics},
        "verdict": known["verdict"],
        "seed": known["seed"],
        "versions": known["versions"],
        "made": known["started"],
    }
