"""Train a model by a recipe."""

import time
from pathlib import Path

from darter.dataset import PictureCache
from darter.picture import Preprocess
from darter.train.checkpoint import load_checkpoint
from darter.train.classifier import ClassifierTraining
from darter.train.device import choose_device, computing, move
from darter.train.memory import enough_memory
from darter.train.noisy import add_noise, refit_norms
from darter.train.optimizer import settle_recipe, settle_strategy
from darter.train.recipe import Recipe
from darter.train.training import Fitted, Known, Model, Training, Views
from darter.train.watch import Keeper, Progress
from darter.train.world import World
from darter.transfer import Strategy, prepare


def fit(
    model: Model,
    strategy: Strategy,
    recipe: Recipe,
    train: Known,
    val: Known,
    out: Path | None,
    *,
    augment: Views,
    preprocess: Preprocess,
    seconds: float | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = 20.0,
    cache: PictureCache | None = None,
    world: World | None = None,
    kind: type[Training[Model, Known, Views]] = ClassifierTraining,  # type: ignore[assignment]  # mypy has no generic defaults
) -> Fitted[Model]:
    """Train `model` in place, from the weights and the head that it holds.

    val: may be empty; then every planned epoch is trained and the last weights are kept.
    out: RUN folder for checkpoints/, metrics.jsonl and tensorboard/; None writes nothing.
    augment, preprocess: how training and validation pictures become tensors.
    seconds: time limit; the number of epochs is planned from a measured step to respect it.
    resume: continue from out/checkpoints if it holds one, to the same bits.
    checkpoint_seconds: save at least that often; every epoch's end is saved as well.
    cache: of decoded pictures, to share with other trainings.
    world: other processes that train along; None trains in this one alone.
    kind: what is trained, if it is no classifier: how its pictures are loaded, its loss, its judge.
        It says of which types model, train, val and augment are.

    Raises Interrupted after SIGINT or SIGTERM, with the state saved (only with `out`);
    OptionError if the recipe does not fit the machine or the strategy, training diverges, or needs
    more memory than there is.
    """
    started = time.monotonic()
    device = choose_device(recipe.device)
    strategy, recipe = settle_strategy(strategy, recipe), settle_recipe(recipe, strategy)
    threads = world.threads(recipe) if world else recipe.threads
    with computing(device, threads), enough_memory():
        move(model, device, recipe.channels_last)
        prepare(model, strategy)
        model.dropout.p = strategy.dropout
        notes = add_noise(model, strategy, recipe)
        training = kind(
            model,
            strategy,
            recipe,
            train,
            val,
            augment,
            preprocess,
            device,
            PictureCache() if cache is None else cache,
            world,
        )
        if strategy.is_probe:
            return training.fitted(None, started)
        if recipe.recompute_norms == "before":
            refit_norms(model, strategy, recipe, training.loader("none"), device)
        saved = load_checkpoint(out / "checkpoints") if out and resume else None
        try:
            loop = training.resume(saved) if saved else training.begin(seconds, notes)
            with Keeper(loop, training.about(), out, progress, checkpoint_seconds) as keeper:
                loop.run(keeper, seconds=seconds)
        finally:
            if world:
                world.end()
        return training.fitted(loop, started)
