"""What the main job shows while it works: one line per stage, a bar while a stage is long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from darter.names import visible

WIDTH = 9  # of the stage names


class Screen:
    """Lines and bars on stderr, so that stdout stays free for results."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    def line(self, stage: str, text: str, seconds: float | None = None) -> None:
        """`audit      397 pictures, 2 classes   1.9 s`; further lines of a stage are indented."""
        took = "" if seconds is None else f"  [dim]{seconds:.1f} s[/dim]"
        first, *more = (escape(visible(line)) for line in text.split("\n"))
        self.console.print(f"[bold]{stage:<{WIDTH}}[/bold]  {first}{took}", soft_wrap=True)
        for other in more:
            self.console.print(f"{'':<{WIDTH}}  {other}", soft_wrap=True)

    def error(self, text: str) -> None:
        self.console.print(f"[bold red]darter:[/bold red] {escape(visible(text))}", soft_wrap=True)

    def _progress(self, *columns: ProgressColumn) -> Progress:
        """A bar that leaves nothing behind, and nothing at all where no person watches."""
        silent = not self.console.is_terminal
        return Progress(*columns, console=self.console, transient=True, disable=silent)

    @contextmanager
    def bar(self, stage: str, unit: str = "pictures") -> Iterator[Callable[[int, int], None]]:
        """Gives progress(done, total); the bar is gone when the block ends."""
        columns = (
            TextColumn(f"[bold]{stage:<{WIDTH}}[/bold] "),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
        )
        with self._progress(*columns) as progress:
            task = progress.add_task("", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    @contextmanager
    def race(self) -> Iterator[Callable[[str, float], None]]:
        """Gives progress(what happens now, share of the time budget spent)."""
        columns = (
            TextColumn(f"[bold]{'choose':<{WIDTH}}[/bold] "),
            BarColumn(),
            TextColumn("{task.percentage:.0f}% of its time "),
            TextColumn("{task.description}"),
        )
        with self._progress(*columns) as progress:
            task = progress.add_task("", total=1.0)
            yield lambda what, share: progress.update(task, completed=share, description=what)
