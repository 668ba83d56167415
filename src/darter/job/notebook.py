"""The main job's progress in a notebook: one output that is written anew as things go on."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from darter import markup
from darter.job.screen import Screen
from darter.train import Plan, TrainingBar, figures

SECONDS = 0.3  # between two updates of a bar


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process (not a terminal's IPython)."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class NotebookScreen(Screen):
    """Lines of finished stages above a bar for the present one. Needs no widgets."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self._lines: list[markup.Html] = []
        self._handle: Any = None
        self._shown = 0.0

    def line(self, stage: str, text: str, seconds: float | None = None) -> None:
        took = "" if seconds is None else f"  {seconds:.1f} s"
        rows = text.split("\n")
        rows[0] += took
        self._lines.append(markup.Html(f"<b>{markup.text(stage)}</b>&nbsp; " + "<br>".join(
            markup.text(row) for row in rows
        )))  # fmt: skip
        self.show()

    def error(self, text: str) -> None:
        self.line("darter:", text)

    def show(self, bar: markup.Html | None = None) -> None:
        """Everything so far; a bar no more often than a person sees."""
        now = time.monotonic()
        if bar is not None and now - self._shown < SECONDS:
            return
        self._shown = now
        from IPython.display import HTML, display

        parts = [markup.paragraph(line) for line in self._lines]
        shown = HTML(markup.joined([*parts, *([bar] if bar else [])]))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    @contextmanager
    def bar(self, stage: str, unit: str = "pictures") -> Iterator[Callable[[int, int], None]]:
        def progress(done: int, total: int) -> None:
            words = f"{done}/{total} {unit}"
            self.show(progress_html(stage, done / max(total, 1), words))

        yield progress

    @contextmanager
    def race(self) -> Iterator[Callable[[str, float], None]]:
        yield lambda what, share: self.show(progress_html("choose", share, what))

    def training(self) -> TrainingBar:
        return NotebookTraining(self)


class NotebookTraining(TrainingBar):
    """A training's progress on a NotebookScreen."""

    def __init__(self, screen: NotebookScreen) -> None:
        super().__init__(screen.console)
        self._screen = screen
        self._known: dict[str, Any] = {}

    def planned(self, plan: Plan, step: int) -> None:
        self._plan = plan
        self._known |= {"epochs": plan.epochs}
        self._began, self._first = time.monotonic(), step

    def step(self, step: int, loss: float, accuracy: float, pictures_per_second: float) -> None:
        assert self._plan is not None, "planned() comes first"
        epoch = 1 + (step - 1) // self._plan.steps_per_epoch
        self._known |= {"epoch": epoch, "loss": loss, "accuracy": accuracy}
        self._known["speed"] = pictures_per_second
        done = max(1, step - self._first)
        left = (time.monotonic() - self._began) / done * (self._plan.steps - step)
        words = "  ".join(figures(self._known, left, wide=True))
        self._screen.show(progress_html("train", step / self._plan.steps, words))

    def epoch(self, record: dict[str, Any]) -> None:
        self._known["val"] = record["val_accuracy"]

    def __enter__(self) -> "NotebookTraining":
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.show()


def progress_html(stage: str, share: float, words: str) -> markup.Html:
    """A bar with its stage before it and words behind it."""
    return markup.Html(
        f"<p><b>{markup.text(stage)}</b>&nbsp; <progress max='1' value='{share:.4f}'></progress> "
        f"{markup.text(words)}</p>"
    )
