"""What every stage of one run works with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder
from darter.job.screen import Screen
from darter.train import Recipe, World

RESERVE_SECONDS = 25.0  # for export, evaluation, heat maps and the page
RESERVE_PER_PICTURE = 0.012  # seconds per judged picture, on top
QUANTIZE_SHARE = 0.15  # of all the time, to make a file of 8 bits
ARRANGE_SHARE = 0.35  # of all the time, to make the model as fast or as small as wished


@dataclass(frozen=True)
class Run:
    """One run of the main job: what was asked for, where its records are, and who watches."""

    options: JobOptions
    folder: RunFolder
    screen: Screen
    world: World | None = None  # processes that train along

    @property
    def recipe(self) -> Recipe:
        """As the user gave it, before anything was settled."""
        return self.options.recipe

    def time_left(self, judged: int, *, for_wish: bool = False) -> float:
        """Seconds for choosing and training, with enough kept for the stages that follow.

        judged: pictures that the model is evaluated on.   for_wish: what is kept for making the
        model as wished is counted in.
        """
        reserve = RESERVE_SECONDS + RESERVE_PER_PICTURE * judged
        if self.options.wish is not None and not for_wish:
            reserve += ARRANGE_SHARE * self.options.seconds
        if self.options.int8:
            reserve += QUANTIZE_SHARE * self.options.seconds
        return self.options.seconds - self.folder.spent - reserve

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """A timed stage with a bar: gives progress(done, total)."""
        with self.folder.stage(name), self.screen.bar(name) as progress:
            yield progress

    def say(self, name: str, text: str, *, stage: str | None = None) -> None:
        """A line for a person, with the seconds of a stage (of the same name if none is named)."""
        self.screen.line(name, text, self.folder.run["seconds"].get(stage or name))
