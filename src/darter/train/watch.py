"""What goes on around the loop: checkpoints, records, progress, Ctrl-C."""

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from darter.train.checkpoint import save_checkpoint
from darter.train.loop import Loop
from darter.train.plan import Plan
from darter.train.record import Recorder
from darter.train.stop import Interrupted, StopSignal


class Progress(Protocol):
    """What `fit` tells while it runs; `TrainingBar` shows it in a terminal."""

    def planned(self, plan: Plan, step: int) -> None: ...
    def step(self, step: int, loss: float, accuracy: float, pictures_per_second: float) -> None: ...
    def epoch(self, record: dict[str, Any]) -> None: ...


class Keeper:
    """Keeps a run's folder up to date: `with Keeper(…) as keeper: loop.run(keeper)`.

    about: saved with each checkpoint, to tell what it belongs to.
    out: RUN folder, or None to write nothing and leave Ctrl-C alone.
    every: seconds between checkpoints within an epoch.
    """

    def __init__(
        self,
        loop: Loop,
        about: Mapping[str, Any],
        out: Path | None,
        progress: Progress | None,
        every: float,
    ) -> None:
        self._loop, self._about, self._out = loop, about, out
        self._progress, self._every = progress, every
        self._stop = StopSignal()
        self._recorder = Recorder(out, loop.position.history, loop.position.step)
        self._saved_at = time.monotonic()

    def step(self, loop: Loop, loss: float) -> None:
        at = loop.position
        self._recorder.step(at.step, loss, loop.step.rate())
        if self._progress:
            speed = at.seen / at.epoch_seconds
            self._progress.step(at.step, at.loss / at.seen, at.correct / at.seen, speed)
        if self._stop.requested or time.monotonic() - self._saved_at >= self._every:
            self._save()

    def epoch(self, loop: Loop) -> None:
        record = loop.position.history[-1]
        self._recorder.epoch(record)
        if self._progress:
            self._progress.epoch(record)
            self._progress.planned(loop.plan, loop.position.step)
        self._save()

    def _save(self) -> None:
        if self._out is None:
            return
        save_checkpoint(self._out / "checkpoints", {"about": self._about, **self._loop.state()})
        self._saved_at = time.monotonic()
        if self._stop.requested:
            out = shlex.quote(str(self._out))
            raise Interrupted(
                f"stopped at step {self._loop.position.step} of {self._loop.plan.steps}; "
                f"everything is saved. Go on with: darter train --resume {out}"
            )

    def __enter__(self) -> "Keeper":
        if self._out:
            self._stop.__enter__()
            self._save()
        if self._progress:
            self._progress.planned(self._loop.plan, self._loop.position.step)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.__exit__(*raised)
        self._recorder.close()
