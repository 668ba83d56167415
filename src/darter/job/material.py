"""What travels from stage to stage of the main job."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darter.data import Audit, PictureCache, PixelStatistics, Preprocess, Sample, Scanned, Split
from darter.data import pixel_statistics as statistics_of
from darter.train import Examples, Recipe
from darter.transfer import Backbone, Features, SizeChoice, Strategy


@dataclass(frozen=True)
class Material:
    """The usable pictures and what each is for. labels, groups: one per picture of the audit."""

    audit: Audit
    split: Split
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def classes(self) -> int:
        return len(self.audit.classes)

    @property
    def side(self) -> int:
        """The usual short side of a training picture, in pixels."""
        shown = self.pictures(self.split.train)
        return int(np.median([min(p.width, p.height) for p in shown]))

    @property
    def judged(self) -> tuple[str, tuple[int, ...]]:
        """The part that the final figures come from: test, or val where there is no test."""
        return ("test", self.split.test) if self.split.test else ("val", self.split.val)

    @property
    def pixels(self) -> PixelStatistics:
        return statistics_of(self.pictures(self.split.train))

    def pictures(self, indices: tuple[int, ...]) -> list[Scanned]:
        return [self.audit.pictures[i] for i in indices]

    def samples(self, indices: tuple[int, ...]) -> list[Sample]:
        return [picture.sample for picture in self.pictures(indices)]

    def examples(self, indices: tuple[int, ...]) -> Examples:
        return Examples([s.path for s in self.samples(indices)], self.labels[list(indices)])

    def names(self, indices: tuple[int, ...]) -> list[str]:
        return [self.audit.name(i) for i in indices]


@dataclass(frozen=True)
class Start:
    """What training starts from. recipe: with its size decided; found: of the training pictures,
    in the order of `split.train`."""

    recipe: Recipe
    backbone: Backbone
    preprocess: Preprocess
    sizes: SizeChoice
    found: Features
    cache: PictureCache


@dataclass(frozen=True)
class Chosen:
    """The strategy with its learning rate; mirror_safe: flips may be used."""

    strategy: Strategy
    learning_rate: float
    mirror_safe: bool
    why: str
