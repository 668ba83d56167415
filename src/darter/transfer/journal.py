"""Everything that a race measured, in order, so that a resumed race does not decide again.

Decisions of the race depend on measurements alone, times included. A journal that is given back
replays them: the same plan follows, and only what is missing is measured.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.transfer.records import Trial

Record = Callable[[dict[str, Any]], None]


class Journal:
    """Measured results by key. `record` is called with the whole journal after each new one."""

    def __init__(self, past: dict[str, Any] | None = None, record: Record | None = None) -> None:
        self.entries: dict[str, dict[str, Any]] = dict((past or {}).get("entries", {}))
        self.record = record
        self.spent = 0.0
        self._counted: set[str] = set()

    @property
    def precision(self) -> str | None:
        """What the first training that was measured computed in, and so all others."""
        found = (entry.get("precision") for entry in self.entries.values())
        return next(filter(None, found), None)

    def measure(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result noted under this key, else a new one; its seconds count as spent."""
        if key not in self.entries:
            start = time.monotonic()
            entry = compute()
            entry.setdefault("seconds", time.monotonic() - start)
            self.entries[key] = entry
            if self.record is not None:
                self.record({"entries": self.entries})
        if key not in self._counted:
            self._counted.add(key)
            self.spent += self.entries[key]["seconds"]
        return self.entries[key]

    def trial(self, key: str, run: Callable[[], Trial], *, timed: bool = False) -> Trial:
        """Like `measure`, for a Trial; timed: its seconds are taken here and not by the trial."""

        def compute() -> dict[str, Any]:
            trial = run()
            entry: dict[str, Any] = {"correct": _written(trial.correct), "loss": float(trial.loss)}
            if not timed:
                entry |= {"seconds": float(trial.seconds), "pace": trial.pace}
                entry["precision"] = trial.precision
            return entry

        entry = self.measure(key, compute)
        loss = math.inf if entry["loss"] is None else entry["loss"]  # of a training that diverged
        told = entry.get("pace"), entry.get("precision")
        return Trial(_read(entry["correct"]), entry["seconds"], loss, *told)


def _written(correct: NDArray[np.float64]) -> str | list[float]:
    """A digit for each picture that is right or wrong; numbers where some are in between."""
    if np.isin(correct, (0, 1)).all():
        return "".join("1" if right else "0" for right in correct)
    return [float(right) for right in correct]


def _read(correct: str | list[float]) -> NDArray[np.float64]:
    return np.array([float(right) for right in correct], np.float64)
