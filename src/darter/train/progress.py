"""The progress bar of a training run in a terminal."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from darter.train.plan import Plan


class TrainingBar:
    """Shows pictures/s, time left, loss and accuracy; nothing where no person watches.

    >>> with TrainingBar() as bar:
    ...     fit(…, progress=bar)
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console()
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            TextColumn("{task.fields[speed]:.0f} pictures/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.1%}"),
            TextColumn("{task.fields[val]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: Any = None
        self._plan: Plan | None = None

    def planned(self, plan: Plan, step: int) -> None:
        """A run starts, goes on after an interruption at `step`, or changes its plan."""
        self._plan = plan
        if self._task is None:
            self._task = self._bar.add_task(
                "", epoch=1, epochs=plan.epochs, speed=0.0, loss=0.0, accuracy=0.0, val=""
            )
        self._bar.update(self._task, total=plan.steps, completed=step, epochs=plan.epochs)

    def step(self, step: int, loss: float, accuracy: float, pictures_per_second: float) -> None:
        assert self._plan is not None, "planned() comes first"
        epoch = 1 + (step - 1) // self._plan.steps_per_epoch
        self._bar.update(
            self._task,
            completed=step,
            epoch=epoch,
            loss=loss,
            accuracy=accuracy,
            speed=pictures_per_second,
        )

    def epoch(self, record: dict[str, Any]) -> None:
        if record["val_accuracy"] is not None:
            self._bar.update(self._task, val=f"validation {record['val_accuracy']:.1%}")

    def __enter__(self) -> "TrainingBar":
        self._bar.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
