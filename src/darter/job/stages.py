"""The stages of the main job up to a trained model, each with its records; see job.py."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from darter.dataset import Listing, PictureCache, find_samples, groups_of, scan, split
from darter.errors import DataError
from darter.files import user_cache
from darter.job.material import Chosen, Material, Start
from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder
from darter.job.screen import Screen
from darter.job.training import time_left
from darter.picture import Preprocess
from darter.train import Recipe, Trials, choose_device, make_preprocess
from darter.transfer import (
    STRATEGIES,
    Backbone,
    SizeChoice,
    Strategy,
    choose,
    choose_size,
    features,
    on_all_layers,
    small_net,
    small_size,
    strategies,
    zoo,
)

SIZE_SHARE = 0.15  # of all the time
RACE_SHARE = 0.35  # of the time that is left after the features
PARTS = ("train", "val", "test")


def find(options: JobOptions) -> Listing:
    """Check what can be checked at once, and list the files below the data folder."""
    allowed(options.recipe)
    choose_device(options.recipe.device)
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
    lines = audit.summary()
    if audit.findings:
        lines.append(f"Each file by name: {folder.path / 'audit.json'}")
    screen.line("audit", "\n".join(lines), folder.run["seconds"]["audit"])
    screen.line("split", ", ".join(f"{count} {name}" for name, count in counts.items()))
    return material


def describe(folder: RunFolder, options: JobOptions, material: Material, screen: Screen) -> Start:
    """Load the backbone, settle the input size, compute the training pictures' features."""
    recipe = options.recipe
    backbone = zoo.load(recipe.backbone, recipe.weights or None)
    sources, cache = material.pictures(material.split.train), user_cache("features")
    with folder.stage("features"), screen.bar("features") as progress:
        sizes = _input_size(folder, options, material, backbone, progress)
        recipe = recipe.replace(size=sizes.size)
        preprocess = make_preprocess(recipe, backbone)
        small = _small_look(options, material, preprocess)
        found = features(
            backbone, sources, preprocess, cache_dir=cache, mirror=True, progress=progress
        )
    folder.save(
        backbone={"name": backbone.name, "source": backbone.source, "size": preprocess.size}
    )
    text = f"{backbone.name} ({backbone.source})\nat {sizes.size}×{sizes.size} pixels: {sizes.why}"
    screen.line("features", text, folder.run["seconds"]["features"])
    return Start(
        recipe,
        backbone,
        preprocess,
        small,
        sizes,
        found,
        material.pixels,
        material.side,
        PictureCache(),
    )


def _small_look(options: JobOptions, material: Material, preprocess: Preprocess) -> Preprocess:
    """What an untrained net sees: the whole picture, no larger than it is unless asked for."""
    size = preprocess.size
    if options.recipe.size == "auto":
        size = small_size(material.side, size)
    return make_preprocess(options.recipe.replace(size=size), small_net(size))


def _input_size(
    folder: RunFolder,
    options: JobOptions,
    material: Material,
    backbone: Backbone,
    progress: Callable[[int, int], None],
) -> SizeChoice:
    """The recipe's size, or one that is measured once for a run: size.json."""
    recipe, train = options.recipe, list(material.split.train)
    if recipe.size != "auto":
        return SizeChoice(int(recipe.size), "named in the recipe")
    if folder.has("size"):
        return SizeChoice.from_json(folder.read("size"))
    choice = choose_size(
        backbone,
        material.pictures(material.split.train),
        material.labels[train],
        material.groups[train],
        classes=material.classes,
        picture_side=material.side,
        crop=recipe.crop,
        cache_dir=user_cache("features"),
        seed=recipe.seed,
        seconds=SIZE_SHARE * options.seconds,
        progress=progress,
    )
    folder.record("size", choice.to_json())
    return choice


def decide(
    folder: RunFolder, options: JobOptions, material: Material, start: Start, screen: Screen
) -> Chosen:
    """Race the strategies on the training pictures: race.json."""
    if not folder.done("race"):
        train = material.split.train
        left = time_left(folder, options, material)
        mirrors = {"safe": True}
        trials = Trials(
            start.net,
            lambda strategy: start.look(strategy, mirrors["safe"]),
            start.found,
            material.examples(train),
            material.classes,
            start.recipe,
            cache=start.cache,
        )
        with folder.stage("race"), screen.race() as progress:
            choice = choose(
                start.found,
                material.labels[list(train)],
                material.groups[list(train)],
                allowed(start.recipe),
                trials,
                classes=material.classes,
                budget_seconds=max(0.0, RACE_SHARE * left),
                seed=start.recipe.seed,
                picture_side=material.side,
                layers=start.recipe.layers,
                progress=progress,
                on_mirror=lambda safe: mirrors.update(safe=safe),
                past=folder.read("journal") if folder.has("journal") else None,
                record=lambda entries: folder.record("journal", entries),
            )
            record = replace(choice, sizes=start.sizes.records).to_json()
            folder.record("race", record)
    race = folder.read("race")
    winner = race["winner"]
    screen.line("choose", f"{winner['strategy']}: {winner['why']}", folder.run["seconds"]["race"])
    strategy = replace(strategies.get(winner["strategy"]), layers=winner["layers"])
    return Chosen(strategy, winner["learning_rate"], race["mirror"]["safe"], winner["why"])


def allowed(recipe: Recipe) -> list[Strategy]:
    """The strategies that may win, with the learning rates that the recipe leaves open."""
    names = list(STRATEGIES) if recipe.strategy == "auto" else [recipe.strategy]
    named = [strategies.get(name) for name in names]
    if recipe.learning_rate != "auto":
        rates = (float(recipe.learning_rate),)
        named = [s if s.is_probe else replace(s, learning_rates=rates) for s in named]
    if recipe.layers == "all":
        named = [on_all_layers(s) for s in named]
    return named
