"""The stages of the main job up to a trained model, each with its records; see job.py."""

from dataclasses import replace

import numpy as np

from darter.data import Listing, PictureCache, find_samples, groups_of, scan, split
from darter.errors import DataError
from darter.files import user_cache
from darter.job.material import Chosen, Material, Start
from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder
from darter.job.screen import Screen
from darter.train import Fitted, Recipe, fit, make_augment
from darter.train.pictures import make_preprocess
from darter.train.progress import TrainingBar
from darter.train.recipe import spell_out
from darter.train.trial import Trials, start_model
from darter.transfer import (
    STRATEGIES,
    Backbone,
    Probe,
    SizeChoice,
    Strategy,
    choose,
    choose_size,
    features,
    fit_probe,
    small_net,
    strategies,
    zoo,
)

RACE_SHARE = 0.45  # of the time that is left after the features
RESERVE_SECONDS = 25.0  # for export, evaluation, heat maps and the page
RESERVE_PER_PICTURE = 0.012  # seconds per test picture, on top
PARTS = ("train", "val", "test")


def find(options: JobOptions) -> Listing:
    """Check what can be checked at once, and list the files below the data folder."""
    _allowed(options.recipe)
    zoo.check(options.recipe.backbone, options.recipe.weights or None)
    return find_samples(options.data, test=options.test)


def look(folder: RunFolder, options: JobOptions, listing: Listing, screen: Screen) -> Material:
    """Scan the pictures and split them: audit.json, split.json."""
    with folder.stage("audit"), screen.bar("audit") as progress:
        audit = scan(listing, progress=progress)
        parts = split(audit, seed=options.recipe.seed)
    labels = np.array([audit.classes.index(p.sample.label) for p in audit.pictures], np.int64)
    material = Material(audit, parts, labels, groups_of(audit))
    record = {name: material.names(getattr(parts, name)) for name in PARTS} | {"how": parts.how}
    if folder.has("split") and folder.read("split") != record:
        raise DataError(
            f"the pictures in {options.data} have changed since this run began, so it cannot go "
            f"on. Start a new one: darter train {options.data}"
        )
    folder.record("audit", audit.to_json())
    folder.record("split", record)
    counts = {name: len(getattr(parts, name)) for name in PARTS}
    folder.save(classes=list(audit.classes), counts=counts, seed=options.recipe.seed)
    screen.line("audit", "\n".join(audit.summary()), folder.run["seconds"]["audit"])
    screen.line("split", ", ".join(f"{count} {name}" for name, count in counts.items()))
    return material


def describe(folder: RunFolder, options: JobOptions, material: Material, screen: Screen) -> Start:
    """Load the backbone, settle the input size, compute the training pictures' features."""
    recipe, train = options.recipe, material.split.train
    backbone = zoo.load(recipe.backbone, recipe.weights or None)
    sources, cache = material.pictures(train), user_cache("features")
    with folder.stage("features"), screen.bar("features") as progress:
        if recipe.size != "auto":
            sizes = SizeChoice(int(recipe.size), "named in the recipe")
        else:
            sizes = choose_size(
                backbone,
                sources,
                material.labels[list(train)],
                material.groups[list(train)],
                classes=material.classes,
                picture_side=material.side,
                crop=recipe.crop,
                cache_dir=cache,
                seed=recipe.seed,
                progress=progress,
            )
        recipe = recipe.replace(size=sizes.size)
        preprocess = make_preprocess(recipe, backbone)
        found = features(
            backbone, sources, preprocess, cache_dir=cache, mirror=True, progress=progress
        )
    folder.save(
        backbone={"name": backbone.name, "source": backbone.source, "size": preprocess.size}
    )
    text = f"{backbone.name} ({backbone.source})\nat {sizes.size}×{sizes.size} pixels: {sizes.why}"
    screen.line("features", text, folder.run["seconds"]["features"])
    return Start(recipe, backbone, preprocess, sizes, found, PictureCache())


def decide(
    folder: RunFolder, options: JobOptions, material: Material, start: Start, screen: Screen
) -> Chosen:
    """Race the strategies on the training pictures: race.json."""
    if not folder.done("race"):
        train = material.split.train
        left = options.seconds - folder.spent - _reserve(material)
        trials = Trials(
            lambda strategy, seed: _backbone(start, strategy, seed),
            start.found,
            material.examples(train),
            material.classes,
            start.recipe,
            augment=make_augment(start.recipe, start.preprocess, material.pixels),
            preprocess=start.preprocess,
            cache=start.cache,
        )

        def on_mirror(safe: bool) -> None:
            recipe = _with_safe_flips(start.recipe, safe)
            trials.augment_by(make_augment(recipe, start.preprocess, material.pixels))

        with folder.stage("race"), screen.race() as progress:
            choice = choose(
                start.found,
                material.labels[list(train)],
                material.groups[list(train)],
                _allowed(start.recipe),
                trials,
                classes=material.classes,
                budget_seconds=max(0.0, RACE_SHARE * left),
                seed=start.recipe.seed,
                picture_side=material.side,
                progress=progress,
                on_mirror=on_mirror,
                past=folder.read("journal") if folder.has("journal") else None,
                record=lambda entries: folder.record("journal", entries),
            )
            record = replace(choice, sizes=start.sizes.records).to_json()
            folder.record("race", record)
    race = folder.read("race")
    winner = race["winner"]
    screen.line("choose", f"{winner['strategy']}: {winner['why']}", folder.run["seconds"]["race"])
    strategy = strategies.get(winner["strategy"])
    return Chosen(strategy, winner["learning_rate"], race["mirror"]["safe"], winner["why"])


def train(
    folder: RunFolder,
    options: JobOptions,
    material: Material,
    start: Start,
    chosen: Chosen,
    screen: Screen,
) -> Fitted:
    """Train the chosen strategy on the training pictures: recipe.toml, checkpoints, metrics."""
    strategy = chosen.strategy
    recipe = _with_safe_flips(start.recipe, chosen.mirror_safe).replace(strategy=strategy.name)
    if not strategy.is_probe:
        recipe = recipe.replace(learning_rate=chosen.learning_rate)
    recipe.save(folder.path / "recipe.toml")
    probe = probe_on(material, start, strategy.layers) if strategy.start == "probe" else None
    backbone = _backbone(start, strategy, recipe.seed)
    model = start_model(backbone, strategy, material.classes, probe, recipe.seed)
    left = options.seconds - folder.spent - _reserve(material)
    with folder.stage("train"), TrainingBar(screen.console) as bar:
        fitted = fit(
            model,
            strategy,
            recipe,
            material.examples(material.split.train),
            material.examples(material.split.val),
            folder.path,
            augment=make_augment(recipe, start.preprocess, material.pixels),
            preprocess=start.preprocess,
            seconds=max(1.0, left),
            resume=True,
            progress=bar,
            cache=start.cache,
        )
    screen.line("train", _training_sentence(fitted, material), folder.run["seconds"]["train"])
    return fitted


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


def _backbone(start: Start, strategy: Strategy, seed: int) -> Backbone:
    return small_net(start.preprocess.size, seed) if strategy.start == "random" else start.backbone


def _allowed(recipe: Recipe) -> list[Strategy]:
    """The strategies that may win, with the learning rates that the recipe leaves open."""
    names = list(STRATEGIES) if recipe.strategy == "auto" else [recipe.strategy]
    named = [strategies.get(name) for name in names]
    if recipe.learning_rate == "auto":
        return named
    rates = (float(recipe.learning_rate),)
    return [s if s.is_probe else replace(s, learning_rates=rates) for s in named]


def _with_safe_flips(recipe: Recipe, mirror_safe: bool) -> Recipe:
    """The usual random changes without flips where a mirror image has another meaning.

    Random changes that the user has named stay as they are.
    """
    if mirror_safe or recipe.augment != Recipe().augment:
        return recipe
    kept = {name: options for name, options in spell_out(recipe.augment).items() if name != "flip"}
    return recipe.replace(augment=kept)


def _reserve(material: Material) -> float:
    return RESERVE_SECONDS + RESERVE_PER_PICTURE * len(material.judged[1])


def _training_sentence(fitted: Fitted, material: Material) -> str:
    steps = fitted.history[-1]["step"] if fitted.history else 0
    if fitted.plan is None:
        text = "the probe is the model"
    elif steps == 0:
        text = "no time was left to train, the model is the probe it starts from; give more --time"
    else:
        text = f"{steps} steps, the best after epoch {fitted.best_epoch} ({fitted.ended})"
    if fitted.val_accuracy is None:
        return text
    return f"{text}; {fitted.val_accuracy:.1%} of {len(material.split.val)} validation pictures"
