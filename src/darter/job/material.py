"""What travels from stage to stage of the main job."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import (
    Audit,
    PictureCache,
    PixelStatistics,
    Sample,
    Scanned,
    Split,
    check_unchanged,
)
from darter.dataset import pixel_statistics as statistics_of
from darter.locks import cached_property
from darter.model import Task, mean_logits
from darter.noise import Ensemble, drawn_kinds
from darter.picture import Augment, Preprocess
from darter.train import Examples, Fitted, Recipe, make_augment, spell_out, usual_augment
from darter.transfer import (
    Backbone,
    Classifier,
    Features,
    SizeChoice,
    Strategy,
    binary_net,
    small_net,
)


@dataclass(frozen=True)
class Material:
    """The usable pictures and what each is for. targets, groups: one per picture of the audit.
    strangers: files of anything else, that were found beside them."""

    audit: Audit
    split: Split
    task: Task
    targets: NDArray[Any]
    groups: NDArray[np.int64]
    strangers: tuple[Path, ...] = ()

    @property
    def classes(self) -> int:
        return len(self.audit.classes)

    @cached_property
    def side(self) -> int:
        """The usual short side of a training picture, in pixels."""
        shown = self.pictures(self.split.train)
        return int(np.median([min(p.width, p.height) for p in shown]))

    @property
    def judged(self) -> tuple[str, tuple[int, ...]]:
        """The part that the final figures come from: test, or val where there is no test."""
        return ("test", self.split.test) if self.split.test else ("val", self.split.val)

    @cached_property
    def pixels(self) -> PixelStatistics:
        return statistics_of(self.pictures(self.split.train))

    def pictures(self, indices: tuple[int, ...]) -> list[Scanned]:
        return [self.audit.pictures[i] for i in indices]

    def samples(self, indices: tuple[int, ...]) -> list[Sample]:
        return [picture.sample for picture in self.pictures(indices)]

    def examples(self, indices: tuple[int, ...]) -> Examples:
        paths = [sample.path for sample in self.samples(indices)]
        return Examples(paths, self.targets[list(indices)], self.task)

    def check(self, *parts: tuple[int, ...]) -> None:
        """Raise DataError where a picture of these parts is not the one that was audited."""
        for indices in parts:
            check_unchanged(self.pictures(indices))

    def names(self, indices: tuple[int, ...]) -> list[str]:
        return [self.audit.name(i) for i in indices]


@dataclass(frozen=True)
class Start:
    """What training starts from.

    material: the pictures.   recipe: with its size decided.
    preprocess, small: what the backbone sees of a picture, and an untrained net.
    found: features of the training pictures, in the order of `split.train`.
    """

    material: Material
    recipe: Recipe
    backbone: Backbone
    preprocess: Preprocess
    small: Preprocess
    sizes: SizeChoice
    found: Features
    cache: PictureCache

    def net(self, strategy: Strategy, seed: int) -> Backbone:
        """The backbone, or a new small net where the strategy starts at random."""
        if strategy.binary:
            return binary_net(self.small.side, seed)
        return small_net(self.small.side, seed) if strategy.start == "random" else self.backbone

    def preprocess_for(self, strategy: Strategy) -> Preprocess:
        """How this strategy sees pictures in validation and use."""
        return self.small if strategy.start == "random" else self.preprocess

    def look(self, strategy: Strategy, mirror_safe: bool) -> tuple[Augment, Preprocess]:
        """How this strategy sees pictures in training, and in validation and use."""
        preprocess = self.preprocess_for(strategy)
        recipe = self.recipe_with_changes(mirror_safe)
        return make_augment(recipe, preprocess, self.material.pixels), preprocess

    def recipe_with_changes(self, mirror_safe: bool) -> Recipe:
        """The recipe with random changes that suit the pictures: gentle ones for small pictures,
        no flips where they do harm. Changes that the user has named stay as they are."""
        if self.recipe.augment != Recipe().augment:
            return self.recipe
        changes = spell_out(usual_augment(self.material.side))
        if not mirror_safe:
            changes.pop("flip")
        return self.recipe.replace(augment=changes)


@dataclass(frozen=True)
class Chosen:
    """The strategy with its learning rate; mirror_safe: flips may be used."""

    strategy: Strategy
    learning_rate: float
    mirror_safe: bool
    why: str


@dataclass(frozen=True)
class Trained:
    """A choice, and the model that came of it.

    members: further models of an ensemble, whose first is `fitted`.   weights: of all of them; none
        weighs all alike.
    look: how it sees pictures, where it was rewritten; as its strategy does otherwise.
    precision: that its file asks for.
    """

    chosen: Chosen
    fitted: Fitted
    members: tuple[Fitted, ...] = ()
    look: Preprocess | None = None
    weights: tuple[float, ...] = ()
    precision: str = "float32"

    @property
    def rewritten(self) -> bool:
        """Its features are no longer those of the net that it was trained from."""
        return self.look is not None

    def preprocess(self, start: Start) -> Preprocess:
        """How it sees pictures in validation and use."""
        return self.look or start.preprocess_for(self.chosen.strategy)

    @property
    def backbones(self) -> list[str]:
        """What each model started from."""
        return [each.model.backbone.name for each in (self.fitted, *self.members)]

    def model(self, task: Task) -> "Classifier | Ensemble":
        """What the file is to hold."""
        if not self.members:
            return self.fitted.model
        every = [self.fitted.model, *(member.model for member in self.members)]
        return Ensemble(every, several=task.name == "multilabel", weights=self.weights)

    def val_logits(self, task: Task) -> NDArray[np.floating]:
        """Its answers to the validation pictures."""
        if not self.members:
            return self.fitted.val_logits
        return mean_logits(task, self.val_logits_of_each(), self.weights)

    def val_logits_of_each(self) -> NDArray[np.floating]:
        """(models, pictures, classes)"""
        every = [self.fitted.val_logits, *(member.val_logits for member in self.members)]
        return np.stack(every)


def kept_draws(start: Start, trained: Trained) -> dict[str, Any]:
    """Which noise the file can be averaged over, as its card says it, if that was asked for."""
    if not start.recipe.keep_draws:
        return {}
    model = trained.fitted.model
    kinds = drawn_kinds(model.linear, model.dropout.p)
    return {"draws": start.recipe.keep_draws, "drawn": list(kinds)} if kinds else {}
