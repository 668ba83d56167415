"""The final training of what was chosen, and what every training of the job shares."""

from pathlib import Path

from darter.doctor import waiting_sentence
from darter.job.material import Chosen, Material, Start, Trained
from darter.job.run import Run
from darter.train import Examples, Fitted, Recipe, fit, settle_recipe, start_model
from darter.transfer import Classifier, Probe, fit_probe


def train(run: Run, start: Start, chosen: Chosen) -> Trained:
    """Train the chosen strategy on the training pictures: recipe.toml, checkpoints, metrics."""
    start.material.check(start.material.split.train, start.material.split.val)
    recipe_for(start, chosen).save(run.folder.path / "recipe.toml")
    with run.folder.stage("train"):
        left = run.time_left(len(start.material.judged[1])) / start.recipe.ensemble
        fitted = fit_chosen(run, start, chosen, run.folder.path, left)
    if run.world and fitted.plan:
        run.folder.save(workers=run.world.summary())
    run.say("train", training_sentence(fitted, start.material))
    return Trained(chosen, fitted)


def fit_chosen(run: Run, start: Start, chosen: Chosen, out: Path, seconds: float) -> Fitted:
    """Train what is chosen in about so many seconds, or go on with what lies in `out`."""
    strategy, recipe, material = chosen.strategy, recipe_for(start, chosen), start.material
    probe = probe_on(start, strategy.layers) if strategy.start == "probe" else None
    net = start.net(strategy, recipe.seed)
    model = start_model(net, strategy, material.classes, probe, recipe.seed)
    learned = material.examples(material.split.train)
    held = material.examples(material.split.val)
    return fit_shown(run, start, chosen, model, recipe, (learned, held), out, seconds)


def fit_shown(
    run: Run,
    start: Start,
    chosen: Chosen,
    model: Classifier,
    recipe: Recipe,
    parts: tuple[Examples, Examples],
    out: Path,
    seconds: float,
) -> Fitted[Classifier]:
    """Train a model of the run by the chosen strategy, with a progress bar.

    parts: what it learns from, and what it is validated on.
    """
    augment, preprocess = start.look(chosen.strategy, chosen.mirror_safe)
    with run.screen.training() as bar:
        return fit(
            model,
            chosen.strategy,
            recipe,
            *parts,
            out,
            augment=augment,
            preprocess=preprocess,
            seconds=max(1.0, seconds),
            resume=True,
            progress=bar,
            cache=start.cache,
            world=run.world,
        )


def recipe_for(start: Start, chosen: Chosen) -> Recipe:
    """The recipe with everything that was decided on the way."""
    strategy = chosen.strategy
    size = start.preprocess_for(strategy).size
    recipe = start.recipe_with_changes(chosen.mirror_safe)
    recipe = settle_recipe(recipe.replace(strategy=strategy.name, size=size), strategy)
    if strategy.is_probe:
        return recipe
    return recipe.replace(learning_rate=chosen.learning_rate, layers=strategy.layers)


def probe_on(start: Start, layers: str) -> Probe:
    """The probe that learned from all training pictures."""
    material = start.material
    train = list(material.split.train)
    return fit_probe(
        start.found.read(layers),
        material.targets[train],
        material.classes,
        task=material.task,
        groups=material.groups[train],
        seed=start.recipe.seed,
    )


def steps_of(fitted: Fitted) -> int:
    """How many steps were taken."""
    return fitted.history[-1]["step"] if fitted.history else 0


def steps_sentence(fitted: Fitted) -> str:
    """How many steps were taken, how they ended, and whether they waited for pictures."""
    text = f"{steps_of(fitted)} steps, the best after epoch {fitted.best_epoch} ({fitted.ended}), "
    return text + waiting_sentence(fitted.history)


def training_sentence(fitted: Fitted, material: Material) -> str:
    """How it went, for the terminal."""
    if fitted.plan is None:
        text = "the probe is the model"
    elif steps_of(fitted) == 0:
        text = "no time was left to train: the model is what training starts from; give more --time"
    else:
        text = steps_sentence(fitted)
    if fitted.val_accuracy is None:
        return text
    many, task = len(material.split.val), material.task
    if task.name == "classify":
        return f"{text}; {fitted.val_accuracy:.1%} of {many} validation pictures"
    return f"{text}; {task.measure} {fitted.val_accuracy:.1%} on {many} validation pictures"
