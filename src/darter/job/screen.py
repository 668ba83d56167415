"""What the main job shows while it works: one line per stage, a bar while a stage is long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import wrap

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from darter.names import visible
from darter.train import TrainingBar, clock

WIDTH = 9  # of the stage names


class Screen:
    """Lines and bars on stderr, so that stdout stays free for results; quiet shows none."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True, highlight=False, quiet=quiet)

    @classmethod
    def of_results(cls) -> "Screen":
        """Lines on stdout."""
        return cls(Console(highlight=False))

    def line(self, stage: str, text: str, seconds: float | None = None) -> None:
        """`audit      397 pictures, 2 classes   1.9 s`; further lines of a stage are indented.

        On a terminal, long lines are broken between words; elsewhere they stay whole.
        """
        took = "" if seconds is None else f"  {seconds:.1f} s"
        first, *more = map(visible, text.split("\n"))
        rows = [row for line in (first + took, *more) for row in self._broken(line)]
        for name, row in zip((stage, *[""] * len(rows)), rows, strict=False):
            self.console.print(f"[bold]{name:<{WIDTH}}[/bold]  {escape(row)}", soft_wrap=True)

    def _broken(self, line: str) -> list[str]:
        if not self.console.is_terminal:
            return [line]
        room = max(20, self.console.width - WIDTH - 2)
        return wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""]

    def error(self, text: str) -> None:
        self.console.print(f"[bold red]darter:[/bold red] {escape(visible(text))}", soft_wrap=True)

    def _progress(self, *columns: ProgressColumn) -> Progress:
        """A bar that leaves nothing behind, and nothing at all where no person watches."""
        silent = not self.console.is_terminal
        return Progress(*columns, console=self.console, transient=True, disable=silent)

    @contextmanager
    def bar(self, stage: str, unit: str = "pictures") -> Iterator[Callable[[int, int], None]]:
        """Gives progress(done, total); the bar is gone when the block ends."""
        with self._progress(*self._named(stage), _Count(unit)) as progress:
            task = progress.add_task("", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    @contextmanager
    def race(self) -> Iterator[Callable[[str, float], None]]:
        """Gives progress(what happens now, share of the time budget spent)."""
        columns = (*self._named("choose"), _text("{task.percentage:.0f}% of its time"))
        with self._progress(*columns, _text("{task.description}")) as progress:
            task = progress.add_task("", total=1.0)
            yield lambda what, share: progress.update(task, completed=share, description=what)

    def training(self) -> TrainingBar:
        """What a training tells its progress to; to be entered, it is gone when the block ends."""
        return TrainingBar(self.console)

    def _named(self, stage: str) -> tuple[ProgressColumn, ProgressColumn]:
        width = 40 if self.console.width >= 100 else 12
        return _text(f"[bold]{stage:<{WIDTH}}[/bold] "), BarColumn(width)


def _text(words: str) -> TextColumn:
    return TextColumn(words, table_column=Column(no_wrap=True, overflow="ellipsis"))


class _Count(ProgressColumn):
    """`12/397 pictures  0:42 left`: how far, and how long still, once that is known."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True))
        self.unit = unit

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        left = task.time_remaining
        rest = "" if left is None else f"  {clock(left)} left"
        return Text(f"{task.completed:.0f}/{task.total:.0f} {self.unit}{rest}")
