"""How a recipe turns pictures into batches."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Divide, Loader, PictureCache
from darter.picture import Augment, Preprocess, ValueRange
from darter.train.loss import picture_weights
from darter.train.recipe import Recipe, spell_out
from darter.train.seeds import generator
from darter.transfer import SMALL_SIDE

if TYPE_CHECKING:
    from darter.train.examples import Examples
    from darter.transfer import Backbone

EVALUATION_BATCH = 32  # pictures; the answers do not depend on it
ORDER = 2  # place of the random numbers of balanced sampling; see darter.train.seeds


def make_preprocess(
    recipe: Recipe, backbone: "Backbone", value_range: ValueRange | None = None
) -> Preprocess:
    """What every picture goes through in validation and in use. value_range: the audit's."""
    size = backbone.size if recipe.size == "auto" else recipe.size
    resize = round(size * backbone.resize / backbone.size) if recipe.crop == "center" else size
    return Preprocess(
        size, resize, recipe.crop, backbone.mean, backbone.std, value_range=value_range
    )


def usual_augment(side: int) -> str:
    """The set of random changes for pictures whose short side has so many pixels."""
    return "small" if side < SMALL_SIDE else "default"


def make_augment(recipe: Recipe, preprocess: Preprocess, pixels: Any = None) -> Augment:
    """What training pictures go through. pixels: `audit.pixels`, which pca_noise needs."""
    return Augment.from_dict(
        spell_out(recipe.augment),
        preprocess.side,
        mean=preprocess.mean,
        std=preprocess.std,
        crop=preprocess.crop,
        pixels=pixels,
        value_range=preprocess.value_range,
    )


def training_loader(
    examples: "Examples",
    augment: Augment,
    recipe: Recipe,
    balance: str,
    cache: PictureCache | None = None,
    divide: Divide | None = None,
) -> Loader:
    """Shuffled (or balanced) full batches; fewer pictures than one batch make one small batch.

    The recipe's batch size must be settled. divide: see `Loader`.
    """
    batch_size = int(recipe.batch_size)
    return Loader(
        examples.pictures,
        examples.targets,
        augment,
        batch_size,
        seed=recipe.seed,
        drop_last=len(examples) >= batch_size,
        order=balanced_order(examples.targets, recipe.seed) if balance == "sampling" else None,
        channels_last=recipe.channels_last,
        divide=divide,
        cache=cache,
    )


def evaluation_loader(
    examples: "Examples", preprocess: Preprocess, recipe: Recipe, cache: PictureCache | None = None
) -> Loader:
    """All pictures, once, in their order."""
    return Loader(
        examples.pictures,
        examples.targets,
        preprocess,
        EVALUATION_BATCH,
        shuffle=False,
        channels_last=recipe.channels_last,
        cache=cache,
    )


def balanced_order(labels: NDArray[np.int64], seed: int) -> Callable[[int], NDArray[np.int64]]:
    """epoch -> as many indices as there are pictures, every class equally often on average.

    Pictures are drawn with replacement.
    """
    classes = int(labels.max()) + 1
    chances = picture_weights(labels, classes)[labels]
    chances = chances / chances.sum()

    def order(epoch: int) -> NDArray[np.int64]:
        return generator(seed, ORDER, epoch).choice(len(labels), len(labels), p=chances)

    return order
