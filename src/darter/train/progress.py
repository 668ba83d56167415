"""The progress bar of a training run in a terminal."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from darter.train.plan import Plan

ROOMY, WIDE = 76, 120  # columns: from here on the line has a name, and epoch and validation, too


class TrainingBar:
    """One line: bar, time left, pictures/s, loss, accuracy. Nothing where no person watches.

    A figure appears when it is known. The line fits 60 columns; more room brings more figures.

    >>> with TrainingBar() as bar:
    ...     fit(…, progress=bar)
    """

    def __init__(self, console: Console | None = None, *, right: str = "accuracy") -> None:
        """right: what the share of right answers is called."""
        console = console or Console()
        bar = BarColumn(None, table_column=Column(ratio=1, min_width=6))
        self._bar = Progress(
            *([_Name()] if console.width >= ROOMY else []),
            bar,
            _Figures(wide=console.width >= WIDE, right=right),
            console=console,
            disable=not console.is_terminal,
            expand=True,
        )
        self._task: Any = None
        self._plan: Plan | None = None

    def planned(self, plan: Plan, step: int) -> None:
        """A run starts, goes on after an interruption at `step`, or changes its plan."""
        self._plan = plan
        if self._task is None:
            self._task = self._bar.add_task("", epoch=1)
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
        self._bar.update(self._task, val=record["val_accuracy"])

    def __enter__(self) -> "TrainingBar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


class _Name(ProgressColumn):
    def get_table_column(self) -> Column:
        return Column(no_wrap=True)

    def render(self, task: Task) -> Text:
        return Text("training")


class _Figures(ProgressColumn):
    """What is known so far, two spaces apart."""

    def __init__(self, *, wide: bool, right: str) -> None:
        super().__init__(Column(no_wrap=True))
        self.wide, self.right = wide, right

    def render(self, task: Task) -> Text:
        return Text(
            "  ".join(figures(task.fields, task.time_remaining, wide=self.wide, right=self.right))
        )


def figures(
    known: dict[str, Any], seconds_left: float | None, *, wide: bool, right: str = "accuracy"
) -> list[str]:
    """The figures of the line, in its order; what is not known yet has no place."""
    told = []
    if wide and known.get("epochs"):
        told.append(f"epoch {known['epoch']}/{known['epochs']}")
    if seconds_left is not None:
        told.append(f"{clock(seconds_left)} left")
    if known.get("speed"):
        told.append(f"{known['speed']:.0f} pictures/s")
    if known.get("loss") is not None:
        told.append(f"loss {known['loss']:.2f}")
    if known.get("accuracy") is not None:
        told.append(f"{right} {known['accuracy']:.0%}")
    if wide and known.get("val") is not None:
        told.append(f"validation {known['val']:.1%}")
    return told


def clock(seconds: float) -> str:
    """42 -> "0:42"; 754 -> "12:34"; 7323 -> "2:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
