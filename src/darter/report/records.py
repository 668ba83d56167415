"""The records of one run, as they lie in its folder. A record that is absent is None."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darter.errors import DataError
from darter.files import read_json
from darter.model import TASKS

Record = dict[str, Any]


@dataclass(frozen=True)
class Records:
    """What a training run wrote down. `run` is always there, the others where it got that far."""

    folder: Path
    run: Record
    audit: Record | None = None
    split: Record | None = None
    race: Record | None = None
    backbones: Record | None = None
    challenge: Record | None = None
    arranged: Record | None = None
    precisions: Record | None = None
    quantized: Record | None = None
    ensemble: Record | None = None
    worth: Record | None = None
    strangeness: Record | None = None
    evaluation: Record | None = None
    parity: Record | None = None
    speed: Record | None = None
    explain: Record | None = None
    recipe: str | None = None
    epochs: tuple[Record, ...] = field(default=())

    @property
    def task(self) -> str:
        """What the model was trained to say: "classify", "multilabel", …"""
        return (self.audit or {}).get("task", "classify")

    @property
    def measure(self) -> str:
        """What the mean of how right it is for each picture is called."""
        return TASKS[self.task].measure if self.task in TASKS else "accuracy"


def read_records(folder: Path | str) -> Records:
    """Read a run folder. Raises DataError where it holds no run or a record is damaged."""
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise DataError(
            f"{folder} holds no run of darter: there is no run.json in it. "
            "Name the folder that `darter train` wrote."
        )
    names = ("audit", "split", "backbones", "race", "challenge", "arranged", "precisions",
             "quantized", "ensemble", "worth", "strangeness", "evaluation", "parity", "speed",
             "explain")  # fmt: skip
    run = _object(folder / "run.json")
    assert run is not None
    recipe = folder / "recipe.toml"
    return Records(
        folder=folder,
        run=run,
        recipe=recipe.read_text(errors="replace") if recipe.is_file() else None,
        epochs=_epochs(folder / "metrics.jsonl"),
        **{name: _object(folder / f"{name}.json") for name in names},
    )


def _object(path: Path) -> Record | None:
    if not path.is_file():
        return None
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path} should hold a JSON object, found a {type(value).__name__}")
    return value


def _epochs(path: Path) -> tuple[Record, ...]:
    """One record per epoch of the final training, the newest where a resumed run repeated one.

    A last line without its newline is what a killed run left half-written; it is not a record.
    """
    if not path.is_file():
        return ()
    lines = path.read_text(errors="replace").split("\n")[:-1]
    epochs: dict[int, Record] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if record.get("stage", "final") == "final":
                epochs[int(record["epoch"])] = record
        except (ValueError, KeyError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: not the record of an epoch") from error
    return tuple(epochs[epoch] for epoch in sorted(epochs))
