"""The final training of what was chosen, and what every training of the job shares."""

from pathlib import Path

from darter.doctor import waiting_sentence
from darter.job.material import Chosen, Material, Start
from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder
from darter.job.screen import Screen
from darter.train import Fitted, Recipe, TrainingBar, fit, settle_recipe, start_model
from darter.transfer import Probe, fit_probe

RESERVE_SECONDS = 25.0  # for export, evaluation, heat maps and the page
RESERVE_PER_PICTURE = 0.012  # seconds per test picture, on top


def train(
    folder: RunFolder,
    options: JobOptions,
    material: Material,
    start: Start,
    chosen: Chosen,
    screen: Screen,
) -> Fitted:
    """Train the chosen strategy on the training pictures: recipe.toml, checkpoints, metrics."""
    recipe_for(start, chosen).save(folder.path / "recipe.toml")
    with folder.stage("train"):
        left = time_left(folder, options, material)
        fitted = fit_chosen(folder.path, material, start, chosen, left, screen)
    screen.line("train", training_sentence(fitted, material), folder.run["seconds"]["train"])
    return fitted


def fit_chosen(
    out: Path,
    material: Material,
    start: Start,
    chosen: Chosen,
    seconds: float,
    screen: Screen,
) -> Fitted:
    """Train what is chosen in about so many seconds, or go on with what lies in `out`."""
    strategy, recipe = chosen.strategy, recipe_for(start, chosen)
    probe = probe_on(material, start, strategy.layers) if strategy.start == "probe" else None
    net = start.net(strategy, recipe.seed)
    model = start_model(net, strategy, material.classes, probe, recipe.seed)
    augment, preprocess = start.look(strategy, chosen.mirror_safe)
    with TrainingBar(screen.console) as bar:
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


def probe_on(material: Material, start: Start, layers: str) -> Probe:
    """The probe that learned from all training pictures."""
    train = list(material.split.train)
    return fit_probe(
        start.found.read(layers),
        material.labels[train],
        material.classes,
        groups=material.groups[train],
        seed=start.recipe.seed,
    )


def time_left(folder: RunFolder, options: JobOptions, material: Material) -> float:
    """Seconds for choosing and training, with enough kept for the stages that follow."""
    reserve = RESERVE_SECONDS + RESERVE_PER_PICTURE * len(material.judged[1])
    return options.seconds - folder.spent - reserve


def training_sentence(fitted: Fitted, material: Material) -> str:
    """How it went, for the terminal."""
    steps = fitted.history[-1]["step"] if fitted.history else 0
    if fitted.plan is None:
        text = "the probe is the model"
    elif steps == 0:
        text = "no time was left to train, the model is the probe it starts from; give more --time"
    else:
        text = f"{steps} steps, the best after epoch {fitted.best_epoch} ({fitted.ended}), "
        text += waiting_sentence(fitted.history)
    if fitted.val_accuracy is None:
        return text
    return f"{text}; {fitted.val_accuracy:.1%} of {len(material.split.val)} validation pictures"
