"""Train a classifier by a recipe."""

import time
from pathlib import Path

from darter.dataset import PictureCache
from darter.picture import Augment, Preprocess
from darter.train.checkpoint import load_checkpoint
from darter.train.device import choose_device, computing, move
from darter.train.examples import Examples
from darter.train.memory import enough_memory
from darter.train.noisy import add_noise, refit_norms
from darter.train.optimizer import settle_recipe, settle_strategy
from darter.train.recipe import Recipe
from darter.train.task import Fitted, Task
from darter.train.watch import Keeper, Progress
from darter.train.world import World
from darter.transfer import Classifier, Strategy, prepare


def fit(
    model: Classifier,
    strategy: Strategy,
    recipe: Recipe,
    train: Examples,
    val: Examples,
    out: Path | None,
    *,
    augment: Augment,
    preprocess: Preprocess,
    seconds: float | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = 20.0,
    cache: PictureCache | None = None,
    world: World | None = None,
    kind: type[Task] = Task,
) -> Fitted:
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
        task = kind(
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
            return task.fitted(None, started)
        if recipe.recompute_norms == "before":
            refit_norms(model, strategy, recipe, task.loader("none"), device)
        saved = load_checkpoint(out / "checkpoints") if out and resume else None
        try:
            loop = task.resume(saved) if saved else task.begin(seconds, notes)
            with Keeper(loop, task.about(), out, progress, checkpoint_seconds) as keeper:
                loop.run(keeper, seconds=seconds)
        finally:
            if world:
                world.end()
        return task.fitted(loop, started)
