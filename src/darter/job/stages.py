"""The stages of the main job, each with its records; `job.py` calls them in order."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.data import (
    Audit,
    Listing,
    PictureCache,
    Preprocess,
    Split,
    find_samples,
    groups_of,
    pixel_statistics,
    scan,
    split,
)
from darter.engine import ModelInfo, evaluate_samples, load, wilson, write_info
from darter.errors import DataError
from darter.files import user_cache
from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder
from darter.job.screen import Screen
from darter.job.speed import measure_speed
from darter.job.verdict import margin, verdict
from darter.train import Examples, Fitted, Recipe, calibrate, export, fit, make_augment
from darter.train.explain import explain as explain_answers
from darter.train.explain import last_block
from darter.train.pictures import make_preprocess
from darter.train.progress import TrainingBar
from darter.train.recipe import spell_out
from darter.train.trial import Trials, start_model
from darter.transfer import STRATEGIES, Backbone, Strategy, strategies, zoo
from darter.transfer.choose import choose
from darter.transfer.features import Features, features
from darter.transfer.probe import Probe, fit_probe

RACE_SHARE = 0.45  # of the time that is left after the features
RESERVE_SECONDS = 25.0  # for export, evaluation, heat maps and the page
RESERVE_PER_PICTURE = 0.012  # seconds per test picture, on top


@dataclass(frozen=True)
class Material:
    """The usable pictures and what each is for. labels, groups: one per picture of the audit."""

    audit: Audit
    split: Split
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def judged(self) -> tuple[str, tuple[int, ...]]:
        """The part that the final figures come from: test, or val where there is no test."""
        return ("test", self.split.test) if self.split.test else ("val", self.split.val)

    def examples(self, indices: tuple[int, ...]) -> Examples:
        paths = [self.audit.pictures[i].sample.path for i in indices]
        return Examples(paths, self.labels[list(indices)])

    def names(self, indices: tuple[int, ...]) -> list[str]:
        return [self.audit.name(i) for i in indices]


@dataclass(frozen=True)
class Start:
    """What training starts from: a pretrained net, and the features it gives.

    found: of the training pictures, in the order of `split.train`.
    """

    recipe: Recipe
    backbone: Backbone
    preprocess: Preprocess
    found: Features
    cache: PictureCache


@dataclass(frozen=True)
class Chosen:
    """strategy with its learning rate; baseline: the probe on the last layer, from all of train."""

    strategy: Strategy
    learning_rate: float
    baseline: Probe
    mirror_safe: bool


def find(options: JobOptions) -> Listing:
    return find_samples(options.data, test=options.test)


def look(folder: RunFolder, options: JobOptions, listing: Listing, screen: Screen) -> Material:
    """Scan the pictures and split them: audit.json, split.json."""
    with folder.stage("audit"), screen.bar("audit") as progress:
        audit = scan(listing, progress=progress)
        parts = split(audit, seed=options.recipe.seed)
    labels = np.array([audit.classes.index(p.sample.label) for p in audit.pictures], np.int64)
    material = Material(audit, parts, labels, groups_of(audit))
    records = {name: material.names(getattr(parts, name)) for name in ("train", "val", "test")} | {
        "how": parts.how
    }
    if folder.has("split") and folder.read("split") != records:
        raise DataError(
            f"the pictures in {options.data} have changed since this run began, so it cannot go "
            "on. Start a new one: darter train " + options.data
        )
    folder.record("audit", audit.to_json())
    folder.record("split", records)
    folder.save(
        classes=list(audit.classes),
        counts={name: len(getattr(parts, name)) for name in ("train", "val", "test")},
        seed=options.recipe.seed,
    )
    screen.line("audit", _audit_sentence(audit), folder.run["seconds"]["audit"])
    counts = folder.run["counts"]
    screen.line("split", f"{counts['train']} train, {counts['val']} val, {counts['test']} test")
    return material


def describe(folder: RunFolder, options: JobOptions, material: Material, screen: Screen) -> Start:
    """Load the backbone and compute the features of the training pictures."""
    recipe = options.recipe
    backbone = zoo.load(recipe.backbone, recipe.weights or None)
    preprocess = make_preprocess(recipe, backbone)
    sources = [material.audit.pictures[i] for i in material.split.train]
    with folder.stage("features"), screen.bar("features") as progress:
        found = features(
            backbone, sources, preprocess, cache_dir=user_cache("features"), mirror=True,
            progress=progress,
        )  # fmt: skip
    folder.save(
        backbone={"name": backbone.name, "source": backbone.source, "size": preprocess.size}
    )
    text = f"{backbone.name} at {preprocess.size}×{preprocess.size}, {backbone.source}"
    screen.line("features", text, folder.run["seconds"]["features"])
    return Start(recipe, backbone, preprocess, found, PictureCache())


def decide(
    folder: RunFolder, options: JobOptions, material: Material, start: Start, screen: Screen
) -> Chosen:
    """Race the strategies on the training pictures: race.json."""
    train = list(material.split.train)
    labels, groups = material.labels[train], material.groups[train]
    classes = len(material.audit.classes)
    if not folder.done("race"):
        left = options.seconds - folder.spent - _reserve(material)
        pixels = pixel_statistics(material.audit.pictures[i] for i in train)
        trial = Trials(
            lambda strategy, seed: start.backbone,
            start.found,
            material.examples(material.split.train),
            classes,
            start.recipe,
            augment=make_augment(start.recipe, start.preprocess, pixels),
            preprocess=start.preprocess,
            cache=start.cache,
        )
        sides = [min(p.width, p.height) for p in material.audit.pictures]
        with folder.stage("race"), screen.race() as progress:
            choice = choose(
                start.found,
                labels,
                groups,
                _allowed(start.recipe),
                trial,
                classes=classes,
                budget_seconds=max(0.0, RACE_SHARE * left),
                seed=start.recipe.seed,
                picture_side=int(np.median(sides)),
                progress=progress,
                past=folder.read("journal") if folder.has("journal") else None,
                record=lambda entries: folder.record("journal", entries),
            )
            folder.record("race", choice.to_json())
    race = folder.read("race")
    winner = race["winner"]
    screen.line("choose", f"{winner['strategy']}: {winner['why']}", folder.run["seconds"]["race"])
    baseline = fit_probe(start.found.read("last"), labels, classes, groups=groups)
    strategy = strategies.get(winner["strategy"])
    return Chosen(strategy, winner["learning_rate"], baseline, race["mirror"]["safe"])


def _allowed(recipe: Recipe) -> list[Strategy]:
    """The strategies that may win, with the learning rates that the recipe leaves open."""
    named = list(STRATEGIES) if recipe.strategy == "auto" else [recipe.strategy]
    chosen = [strategies.get(name) for name in named]
    if recipe.learning_rate != "auto":
        rates = (float(recipe.learning_rate),)
        chosen = [s if s.is_probe else replace(s, learning_rates=rates) for s in chosen]
    return chosen


def train(
    folder: RunFolder,
    options: JobOptions,
    material: Material,
    start: Start,
    chosen: Chosen,
    screen: Screen,
) -> Fitted:
    """Train the chosen strategy on the training pictures: recipe.toml, checkpoints, metrics."""
    train_part = material.split.train
    labels = material.labels[list(train_part)]
    strategy = chosen.strategy
    recipe = start.recipe.replace(strategy=strategy.name, size=start.preprocess.size)
    if not strategy.is_probe:
        recipe = recipe.replace(learning_rate=chosen.learning_rate)
    if not chosen.mirror_safe and recipe.augment == Recipe().augment:
        kept = {k: v for k, v in spell_out(recipe.augment).items() if k != "flip"}
        recipe = recipe.replace(augment=kept)
    classes = len(material.audit.classes)
    probe = None
    if strategy.start == "probe":
        probe = chosen.baseline
        if strategy.layers != "last":
            rows = start.found.read(strategy.layers)
            probe = fit_probe(rows, labels, classes, groups=material.groups[list(train_part)])
    model = start_model(start.backbone, strategy, classes, probe, recipe.seed)
    pixels = pixel_statistics(material.audit.pictures[i] for i in train_part)
    left = options.seconds - folder.spent - _reserve(material)
    with folder.stage("train"), TrainingBar(screen.console) as bar:
        fitted = fit(
            model,
            strategy,
            recipe,
            material.examples(train_part),
            material.examples(material.split.val),
            folder.path,
            augment=make_augment(recipe, start.preprocess, pixels),
            preprocess=start.preprocess,
            seconds=max(1.0, left),
            resume=True,
            progress=bar,
        )
    recipe.save(folder.path / "recipe.toml")
    text = f"{fitted.ended}"
    if fitted.val_accuracy is not None:
        text += f", {fitted.val_accuracy:.1%} on {len(material.split.val)} validation pictures"
    screen.line("train", text, folder.run["seconds"]["train"])
    return fitted


def prove(
    folder: RunFolder, material: Material, start: Start, fitted: Fitted, screen: Screen
) -> None:
    """Write model.onnx and prove that it answers as the trained model does: parity.json."""
    part, indices = material.judged
    val = material.examples(material.split.val)
    info = ModelInfo(
        material.audit.classes, start.preprocess, calibrate(fitted.val_logits, val.labels), {}
    )
    with folder.stage("export"):
        parity = export(fitted.model, folder.model, info, material.examples(indices).pictures)
        folder.record("parity", parity.to_json())
    text = (
        f"{folder.model}: equal to the trained network on {parity.pictures} {part} pictures "
        f"(largest difference of a probability {parity.max_probability_difference:.1e})"
    )
    screen.line("export", text, folder.run["seconds"]["export"])


def judge(
    folder: RunFolder,
    options: JobOptions,
    material: Material,
    start: Start,
    chosen: Chosen,
    fitted: Fitted,
    screen: Screen,
) -> None:
    """Measure the model and the baseline on held-out pictures, and draw where the model looked:
    evaluation.json, explain.json, speed.json."""
    part, indices = material.judged
    examples = material.examples(indices)
    with folder.stage("evaluate"), screen.bar("evaluate") as progress:
        session = load(folder.model)
        sources = [material.audit.pictures[i] for i in indices]
        found = evaluate_samples(session, [s.sample for s in sources], progress=progress)
        if found.unreadable:
            path, reason = found.unreadable[0]
            raise DataError(f"{path} was readable when the run began and is not now: {reason}")
        named = zip(found.predictions, material.names(indices), strict=True)
        found = replace(found, predictions=tuple({**p, "path": name} for p, name in named))
        folder.record("evaluation", found.to_json(split=part))
        cache = user_cache("features")
        rows = features(start.backbone, sources, start.preprocess, cache_dir=cache, mirror=True)
        baseline_right = chosen.baseline.predict(rows.last) == examples.labels
    model_right = [p["predicted"] == p["label"] for p in found.predictions]
    gain = margin(model_right, baseline_right)
    right = int(baseline_right.sum())
    baseline = right / len(baseline_right)
    sentence = verdict(chosen.strategy.name, float(np.mean(model_right)), baseline, gain)
    result = {"accuracy": found.accuracy, "interval": found.interval, "n": found.n, "split": part}
    folder.save(
        result=result,
        baseline={
            "name": "linear-probe",
            "accuracy": baseline,
            "interval": wilson(right, len(baseline_right)),
        },
        margin=gain.to_json(),
        verdict=sentence,
    )
    write_info(folder.model, replace(session.info, card=_card(folder, options, chosen, fitted)))
    screen.line("evaluate", _result_sentence(result), folder.run["seconds"]["evaluate"])
    screen.line("", sentence)
    with folder.stage("explain"), screen.bar("explain") as progress:
        record = explain_answers(
            fitted.model,
            last_block(fitted.model.backbone),
            start.preprocess,
            [s.sample for s in sources],
            found.predictions,
            folder.path,
            classes=material.audit.classes,
            progress=progress,
        )
        folder.record("explain", record)
    with folder.stage("speed"):
        folder.record("speed", measure_speed(folder.model, fitted.model))


def _audit_sentence(audit: Audit) -> str:
    actions = Counter(f.action for f in audit.findings)
    parts = [f"{len(audit.pictures)} pictures, {len(audit.classes)} classes"]
    parts += [f"{count} {action}" for action, count in sorted(actions.items())]
    if audit.near_duplicates:
        parts.append(f"{len(audit.near_duplicates)} groups of near-duplicates")
    return "; ".join(parts)


def _reserve(material: Material) -> float:
    return RESERVE_SECONDS + RESERVE_PER_PICTURE * len(material.judged[1])


def _result_sentence(result: dict[str, Any]) -> str:
    low, high = result["interval"]
    return (
        f"right for {result['accuracy']:.1%} of {result['n']} {result['split']} pictures "
        f"(95% interval {low:.1%} to {high:.1%})"
    )


def _card(folder: RunFolder, options: JobOptions, chosen: Chosen, fitted: Fitted) -> dict[str, Any]:
    """The model card that travels in the file."""
    run = folder.run
    return {
        "data": {"name": Path(options.data).resolve().name, "counts": run["counts"]},
        "backbone": run["backbone"],
        "strategy": chosen.strategy.name,
        "epochs": fitted.plan.epochs if fitted.plan else 0,
        "metrics": {key: run[key] for key in ("result", "baseline", "margin")},
        "verdict": run["verdict"],
        "seed": run["seed"],
        "versions": run["versions"],
        "made": run["started"],
    }
