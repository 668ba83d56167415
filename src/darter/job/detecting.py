"""The main job for pictures with boxes: a detector, its proven file, its figures, its page.

audit ─ split ─ choose ─ train ─ export ─ evaluate ─ speed ─ report
"""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import (
    Audit,
    BoxLoader,
    BoxViews,
    Listing,
    PictureCache,
    Scanned,
    Split,
    check_unchanged,
)
from darter.detect import (
    DETECTORS,
    MOSAIC,
    BoxExamples,
    DetectorNet,
    DetectorTraining,
    candidates_to_rows,
    export,
    input_sides,
    make_preprocess,
    settle,
    settle_overlaps,
    truths_of,
)
from darter.errors import OptionError
from darter.job.card import card_of
from darter.job.gallery import draw_gallery
from darter.job.look import check_readable, judged, look
from darter.job.run import Run
from darter.job.speed import measure_speed
from darter.job.training import steps_of, steps_sentence
from darter.model import (
    Calibration,
    DetectionEvaluation,
    ModelInfo,
    best_thresholds,
    evaluate_detector,
    load_detector,
    match_arrays,
    write_info,
)
from darter.picture import Preprocess
from darter.train import Fitted, Recipe, TrainingBar, fit, spell_out
from darter.transfer import Backbone, zoo

TRIAL_SHARE = 0.15  # of the time, for each kind of detector
LEAST_TRIAL = 240.0  # seconds; a shorter trial says who learns faster, not who becomes better
FEW = 50  # test pictures; fewer make a wide interval, which the verdict says


def run_detection(run: Run, listing: Listing) -> None:
    """Train, prove and judge a detector; the run folder then holds all but the page."""
    backbone = zoo.load(run.recipe.backbone, run.recipe.weights or None)
    audit, parts = look(run, listing)
    fitted, info, overlaps = _train(run, audit, parts, backbone)
    _prove(run, audit, parts, fitted, info, overlaps)
    _judge(run, audit, parts, fitted, info)


def check_detector(name: str) -> None:
    """Raise OptionError unless a detector of that name can be trained."""
    if name not in ("auto", *DETECTORS):
        raise OptionError(f"--detector {name}: expected auto or one of {', '.join(DETECTORS)}")


@dataclass(frozen=True)
class _Material:
    """What every training of a run starts from."""

    audit: Audit
    train: list[Scanned]
    val: list[Scanned]
    backbone: Backbone
    cache: PictureCache

    def fit(self, run: Run, name: str, out: Path, seconds: float) -> Fitted[DetectorNet]:
        """Train a detector of this kind in a folder, or go on with what it holds."""
        kind = DETECTORS[name]
        strategy, recipe = settle(run.recipe, kind)
        preprocess = self.preprocess(recipe)
        backbone, classes = copy.deepcopy(self.backbone), self.audit.classes
        model = kind(backbone, len(classes), preprocess.sides, seed=recipe.seed)
        with TrainingBar(run.screen.console, right=kind.told) as bar:
            return fit(
                model,
                strategy,
                recipe,
                BoxExamples.of(self.train, classes),
                BoxExamples.of(self.val, classes),
                out,
                augment=BoxViews.from_dict(spell_out(recipe.augment), preprocess, MOSAIC),
                preprocess=preprocess,
                seconds=max(1.0, seconds),
                resume=True,
                progress=bar,
                cache=self.cache,
                kind=DetectorTraining,
            )

    def preprocess(self, recipe: Recipe) -> Preprocess:
        return make_preprocess(self.backbone, input_sides(recipe, self.train))


def _train(
    run: Run, audit: Audit, parts: Split, backbone: Backbone
) -> tuple[Fitted[DetectorNet], ModelInfo, tuple[float, ...]]:
    """Train on the training pictures: recipe.toml, checkpoints, metrics.

    Returns also the overlaps from which two boxes of each class are one thing.
    """
    pictures, held = ([audit.pictures[k] for k in part] for part in (parts.train, parts.val))
    check_unchanged([*pictures, *held])
    material = _Material(audit, pictures, held, backbone, PictureCache())
    name, why = _choose(run, material)
    strategy, recipe = settle(run.recipe, DETECTORS[name])
    preprocess = material.preprocess(recipe)
    height, width = preprocess.sides
    recipe.save(run.folder.path / "recipe.toml")
    run.folder.save(
        backbone={"name": backbone.name, "source": backbone.source, "size": max(height, width)},
        strategy={"name": name, "learning_rate": recipe.learning_rate},
    )
    run.say("choose", f"{name}: {strategy.title}, {why}; input {width}×{height} pixels")
    with run.folder.stage("train"):
        seconds = run.time_left(4 * len(judged(parts)[1]))
        fitted = material.fit(run, name, run.folder.path, seconds)
    truths = truths_of(_shown(held, audit.classes, preprocess))
    overlaps = settle_overlaps(fitted.val_logits, truths, len(audit.classes))
    rows = candidates_to_rows(fitted.val_logits, overlaps)
    thresholds = best_thresholds(match_arrays(truths, rows, len(audit.classes)))
    info = ModelInfo(audit.classes, preprocess, Calibration(1.0, 0.0, thresholds), task="detect")
    run.say("train", _training_sentence(fitted, len(held)))
    return fitted, info, overlaps


def _choose(run: Run, material: _Material) -> tuple[str, str]:
    """Which kind of detector to train, and why: detectors.json.

    Where time allows, each kind is trained for a share of it, and the one with the better AP50 on
    the validation pictures gets the rest.
    """
    if run.recipe.detector != "auto":
        return run.recipe.detector, "as asked"
    usual, seconds = next(iter(DETECTORS)), TRIAL_SHARE * run.options.seconds
    if seconds < LEAST_TRIAL:
        return usual, "which learns faster where time is short"
    if not material.val:
        return usual, "as no validation pictures can tell which is better"
    trials = run.folder.read("detectors") if run.folder.has("detectors") else {}
    for name in DETECTORS:
        if name in trials:
            continue
        with run.folder.stage(f"trial of {name}"):
            fitted = material.fit(run, name, run.folder.path / "trials" / name, seconds)
        steps = steps_of(fitted)
        trials[name] = {"ap50": fitted.val_accuracy or 0.0, "steps": steps, "seconds": seconds}
        run.folder.record("detectors", trials)
        run.say("trial", f"{name}: AP50 {fitted.val_accuracy or 0:.1%} after {steps} steps")
    best = max(trials, key=lambda name: trials[name]["ap50"])  # of equals, the first
    figures = ", ".join(f"{name} {trial['ap50']:.1%}" for name, trial in trials.items())
    return best, f"the better after {seconds:.0f} s each (AP50: {figures})"


def _shown(
    held: list[Scanned], classes: tuple[str, ...], preprocess: Preprocess
) -> NDArray[np.float32]:
    """The validation pictures' boxes as the input shows them."""
    known = BoxExamples.of(held, classes)
    views = BoxViews(preprocess)
    loader = BoxLoader(known.pictures, known.targets, known.sizes, views, 8, shuffle=False)
    if not len(held):
        return np.zeros((0, 1, 6), np.float32)
    return np.concatenate([batch.targets for batch in loader.epoch(0)])


def _training_sentence(fitted: Fitted, held: int) -> str:
    text = steps_sentence(fitted)
    if fitted.val_accuracy is None:
        return text
    return f"{text}; AP50 {fitted.val_accuracy:.1%} on {held} validation pictures"


def _prove(
    run: Run,
    audit: Audit,
    parts: Split,
    fitted: Fitted[DetectorNet],
    info: ModelInfo,
    overlaps: tuple[float, ...],
) -> None:
    """Write model.onnx and prove that it finds what the trained model finds: parity.json."""
    part, indices = judged(parts)
    paths = [audit.pictures[k].sample.path for k in indices]
    with run.folder.stage("export"):
        parity = export(fitted.model, run.folder.model, info, paths, overlaps=overlaps)
        run.folder.record("parity", parity.to_json())
    text = (
        f"{run.folder.model}: finds the same {parity.boxes} boxes as the trained network on "
        f"{parity.pictures} {part} pictures (within {parity.max_pixel_difference:.1e} pixels, "
        f"scores within {parity.max_score_difference:.1e})"
    )
    run.say("export", text)


def _judge(run: Run, audit: Audit, parts: Split, fitted: Fitted, info: ModelInfo) -> None:
    """Measure the file on held-out pictures: evaluation.json, gallery, verdict, card."""
    folder = run.folder
    part, indices = judged(parts)
    samples = [audit.pictures[k].sample for k in indices]
    check_unchanged([audit.pictures[k] for k in indices])
    detector = load_detector(folder.model)
    with run.stage("evaluate") as progress:
        names = [audit.name(k) for k in indices]
        found = evaluate_detector(detector, samples, names=names, progress=progress)
        check_readable(found.unreadable)
        record = found.to_json(split=part)
        folder.record("evaluation", record)
    result = {key: record[key] for key in ("measure", "accuracy", "interval", "ap", "n", "split")}
    folder.save(result=result, baseline=None, verdict=verdict(found, record))
    folder.record("explain", draw_gallery(record, [s.path for s in samples], folder.path))
    write_info(folder.model, replace(info, card=card_of(run, fitted, ("result",))))
    with folder.stage("speed"):
        folder.record("speed", measure_speed(folder.model, fitted.model, detector.session))


def verdict(found: DetectionEvaluation, record: dict[str, Any]) -> str:
    """What the model is worth, for a person who has never trained one."""
    low, high = record["interval"]
    sentence = (
        f"It finds things with an AP50 of {record['ap50']:.1%} on {found.n} {record['split']} "
        f"pictures (95% interval {low:.1%} to {high:.1%})."
    )
    rows = [row for row in record["per_class"] if row["count_error"] is not None]
    counts = ", ".join(f"{row['label']} {row['count_error']:.0%}" for row in rows[:4])
    if counts:
        sentence += f" Its counts are off by, of what is there: {counts}."
    if record["unmarked"]:
        sentence += (
            f" In {len(record['unmarked'])} pictures it is sure of things that nobody marked; look "
            "whether boxes are missing there."
        )
    if found.n < FEW:
        sentence += (
            f" {found.n} pictures say little: label more of them, and the interval gets narrower."
        )
    return sentence
