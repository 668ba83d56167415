"""The final training of what was chosen, and what every training of the job shares."""

from pathlib import Path

from darter.doctor import waiting_sentence
from darter.job.material import Chosen, Material, Start, Trained
from darter.job.run import Run
from darter.train import Fitted, Recipe, fit, settle_recipe, start_model
from darter.transfer import Probe, fit_probe


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
    augment, preprocess = start.look(strategy, chosen.mirror_safe)
    with run.screen.training() as bar:
        return fit(
            model,
            strategy,
            recipe,
            material.examples(material.split.train),
            material.examples(material.split.val),
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


def training_sentence(fitted: Fitted, material: Material) -> str:
    """How it went, for the terminal."""
    steps = fitted.history[-1]["step"] if fitted.history else 0
    if fitted.plan is None:
        text = "the probe is the model"
    elif steps == 0:
        text = "no time was left to train: the model is what training starts from; give more --time"
    else:
        text = f"{steps} steps, the best after epoch {fitted.best_epoch} ({fitted.ended}), "
        text += waiting_sentence(fitted.history)
    if fitted.val_accuracy is None:
        return text
    many, task = len(material.split.val), material.task
    if task.name == "classify":
        return f"{text}; {fitted.val_accuracy:.1%} of {many} validation pictures"
    return f"{text}; {task.measure} {fitted.val_accuracy:.1%} on {many} validation pictures"
