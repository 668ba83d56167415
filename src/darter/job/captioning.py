"""The main job for pictures with captions: a model that writes, or retrieves, whichever is better.

audit ─ split ─ features ─ train ─ (keep the better) ─ export ─ evaluate ─ report
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from darter.caption import (
    CaptionExamples,
    Captioning,
    CaptionTraining,
    export,
    grid_features,
    length_of,
    make_retrieval,
    sentences_of,
    settle,
)
from darter.dataset import Audit, Captions, Listing, PictureCache, Split, check_unchanged
from darter.job.attention import draw_attention
from darter.job.card import card_of
from darter.job.look import PARTS, check_readable, judged, look
from darter.job.run import Run
from darter.job.speed import measure_speed
from darter.job.training import steps_sentence
from darter.model import (
    CaptionEvaluation,
    ModelInfo,
    Vocabulary,
    ciders,
    compare_sentences,
    evaluate_captions,
    judge_sentences,
    load_captioner,
    write_info,
)
from darter.picture import Augment, Preprocess
from darter.train import Fitted, TrainingBar, fit
from darter.transfer import Backbone, zoo

SHOWN = 12  # pictures of the page
FEW_TO_KNOW_A_WORD = 200  # sentences; of fewer, each word is learned


@dataclass(frozen=True)
class _Material:
    """Pictures of each part with what is said of them, and what the backbone sees in them."""

    audit: Audit
    parts: Split
    preprocess: Preprocess
    grids: dict[str, NDArray[np.float16]]

    def sentences(self, part: str) -> list[tuple[str, ...]]:
        targets = [self.audit.pictures[k].sample.target for k in getattr(self.parts, part)]
        return [target.sentences for target in targets if isinstance(target, Captions)]

    def names(self, part: str) -> list[str]:
        return [self.audit.name(k) for k in getattr(self.parts, part)]

    def paths(self, part: str) -> list[Path]:
        return [self.audit.pictures[k].sample.path for k in getattr(self.parts, part)]


@dataclass(frozen=True)
class _Kept:
    """The model that is written, with the words that it knows."""

    name: str
    model: nn.Module
    vocabulary: Vocabulary
    why: str


def run_captioning(run: Run, listing: Listing) -> None:
    """Train, choose, prove and judge; the run folder then holds all but the page."""
    backbone = zoo.load(run.recipe.backbone, run.recipe.weights or None)
    audit, parts = look(run, listing)
    check_unchanged(audit.pictures)
    material = _features(run, audit, parts, backbone)
    fitted, writer, retrieval = _train(run, material, backbone)
    kept = _keep(run, material, writer, retrieval)
    info = ModelInfo(kept.vocabulary.words, material.preprocess, task="caption")
    _prove(run, material, kept, info)
    _judge(run, material, fitted, kept, retrieval, info)


def _features(run: Run, audit: Audit, parts: Split, backbone: Backbone) -> _Material:
    """What the pretrained network sees, once; it stays as it is."""
    recipe = run.recipe
    size = backbone.size if recipe.size == "auto" else int(recipe.size)
    crop = "squash" if recipe.crop == "center" else recipe.crop  # nothing may be cut off
    preprocess = Preprocess(size, size, crop, backbone.mean, backbone.std)
    grids = {}
    with run.stage("features") as progress:
        for part in PARTS:
            paths = [audit.pictures[k].sample.path for k in getattr(parts, part)]
            if paths:
                grids[part] = grid_features(backbone, paths, preprocess, progress=progress)
    run.folder.save(backbone={"name": backbone.name, "source": backbone.source, "size": size})
    run.say("features", f"{backbone.name} ({backbone.source}) at {size}×{size} pixels")
    return _Material(audit, parts, preprocess, grids)


def _train(run: Run, material: _Material, backbone: Backbone) -> tuple[Fitted, _Kept, _Kept]:
    """The writer, trained, and the retrieval of the nearest picture's sentence."""
    strategy, recipe = settle(run.recipe)
    recipe.save(run.folder.path / "recipe.toml")
    texts = material.sentences("train")
    flat = [text for each in texts for text in each]
    vocabulary = Vocabulary.of(flat, least=1 if len(flat) < FEW_TO_KNOW_A_WORD else 2)
    length = length_of(texts)
    held = [text for each in material.sentences("val") for text in each]
    unknown, words = vocabulary.unknown(held)
    run.say(
        "words",
        f"{len(vocabulary.words) - 4} words from {len(flat)} sentences, up to {length - 1} in one; "
        f"{unknown} of {words} words of the validation sentences are unknown",
    )
    model = Captioning(
        backbone, material.grids["train"].shape[2], len(vocabulary.words), length, seed=recipe.seed
    )
    known = {
        part: CaptionExamples(
            material.grids.get(part, material.grids["train"][:0]),
            material.sentences(part), material.names(part), vocabulary, length,
        )
        for part in ("train", "val")
    }  # fmt: skip
    last = judged(material.parts)[1]
    with run.folder.stage("train"), TrainingBar(run.screen.console, right="words") as bar:
        fitted = fit(
            model,
            strategy,
            recipe,
            known["train"],
            known["val"],
            run.folder.path,
            augment=Augment((), material.preprocess.side),
            preprocess=material.preprocess,
            seconds=max(1.0, run.time_left(4 * len(last))),
            resume=True,
            progress=bar,
            cache=PictureCache(),
            kind=CaptionTraining,
        )
    run.say("train", steps_sentence(fitted))
    every = Vocabulary.of(flat, least=1)  # nothing of a retrieved sentence may be unknown
    nearest = make_retrieval(model, known["train"], every, length_of(texts, most=60))
    writer = _Kept(strategy.name, fitted.model, vocabulary, "")
    return fitted, writer, _Kept("nearest-neighbour", nearest, every, "")


def _keep(run: Run, material: _Material, writer: _Kept, retrieval: _Kept) -> _Kept:
    """Whichever is better on the validation pictures; the retrieval where they are equal."""
    truths = material.sentences("val")
    if not truths:
        kept = replace(writer, why="there were no validation pictures to compare it on")
    else:
        grids = material.grids["val"]
        scores = {
            each.name: _cider(truths, sentences_of(each.model, grids, each.vocabulary))
            for each in (writer, retrieval)
        }
        better = writer if scores[writer.name] > scores[retrieval.name] else retrieval
        other = retrieval if better is writer else writer
        why = (
            f"CIDEr {scores[better.name]:.2f} on {len(truths)} validation pictures, "
            f"{other.name} {scores[other.name]:.2f}"
        )
        kept = replace(better, why=why)
    run.folder.save(strategy={"name": kept.name, "why": kept.why})
    run.say("choose", f"{kept.name}: {kept.why}")
    return kept


def _cider(truths: list[tuple[str, ...]], found: list[str]) -> float:
    return float(ciders(truths, found).mean())


def _prove(run: Run, material: _Material, kept: _Kept, info: ModelInfo) -> None:
    part, _ = judged(material.parts)
    with run.folder.stage("export"):
        parity = export(kept.model, run.folder.model, info, material.paths(part))
        run.folder.record("parity", parity.to_json())
    text = (
        f"{run.folder.model}: writes the same sentences as the trained network about "
        f"{parity.pictures} {part} pictures (log probabilities within "
        f"{parity.max_log_probability_difference:.1e})"
    )
    run.say("export", text)


def _judge(
    run: Run, material: _Material, fitted: Fitted, kept: _Kept, retrieval: _Kept, info: ModelInfo
) -> None:
    """Measure file and baseline on held-out pictures: evaluation.json, verdict, card."""
    folder = run.folder
    part, indices = judged(material.parts)
    names = material.names(part)
    captioner = load_captioner(folder.model)
    with run.stage("evaluate") as progress:
        samples = [material.audit.pictures[k].sample for k in indices]
        found = evaluate_captions(captioner, samples, names=names, progress=progress)
        check_readable(found.unreadable)
        said = sentences_of(retrieval.model, material.grids[part], retrieval.vocabulary)
        baseline = judge_sentences(material.sentences(part), said, names)
        record = found.to_json(split=part)
        ends = {name: list(pair) for name, pair in baseline.intervals.items()}
        record["baseline"] = {"scores": baseline.scores, "intervals": ends}
        record["kept"] = kept.name
        if kept.name != retrieval.name:
            ours = [each["caption"] for each in found.pictures]
            record["better_by"] = compare_sentences(material.sentences(part), ours, said)
        folder.record("evaluation", record)
    result = {key: record[key] for key in ("measure", "accuracy", "interval", "n", "split")}
    nearest = {
        "name": retrieval.name,
        "measure": "BLEU-4",
        "accuracy": baseline.scores["bleu_4"],
        "interval": list(baseline.intervals["bleu_4"]),
    }
    folder.save(
        result=result, baseline=nearest, verdict=verdict(kept.name, found, baseline, record)
    )
    folder.record("explain", _gallery(found, material, kept, part, folder.path))
    write_info(folder.model, replace(info, card=card_of(run, fitted, ("result", "baseline"))))
    with folder.stage("speed"):
        folder.record("speed", measure_speed(folder.model, kept.model, captioner.session))


def verdict(
    kept: str, found: CaptionEvaluation, baseline: CaptionEvaluation, record: dict[str, Any]
) -> str:
    """What the model is worth beside the nearest picture's sentence."""
    part = record["split"]
    ours, theirs = found.scores, baseline.scores
    figures = (
        f"CIDEr {ours['cider']:.2f} and BLEU-4 {ours['bleu_4']:.1%} on {found.n} {part} pictures"
    )
    if kept == "nearest-neighbour":
        return (
            "Writing sentences did not beat repeating the sentence of the training picture that "
            f"looks most alike, so that is what this model does: {figures}. More pictures with "
            "captions would help."
        )
    against = f"the nearest picture's sentence reaches {theirs['cider']:.2f}"
    against += f" and {theirs['bleu_4']:.1%}"
    low, high = record["better_by"]["cider"]["interval"]
    beats = "beat" if low > 0 else "did not clearly beat"
    return (
        f"Writing sentences {beats} repeating the nearest one: {figures}; {against} (difference of "
        f"CIDEr on the same pictures: 95% interval {low:+.2f} to {high:+.2f})."
    )


def _gallery(
    found: CaptionEvaluation, material: _Material, kept: _Kept, part: str, out: Path
) -> dict[str, Any]:
    """Some pictures with their sentences, evenly from the best to the worst, and where a model that
    writes looked for each word: explain.json."""
    from darter.model import draw_boxes
    from darter.picture import decode

    order = sorted(range(found.n), key=lambda k: -found.pictures[k]["cider"])
    chosen = [order[k] for k in np.unique(np.linspace(0, found.n - 1, SHOWN).round().astype(int))]
    paths = material.paths(part)
    (out / "gallery").mkdir(exist_ok=True)
    shown = []
    for number, k in enumerate(chosen):
        name = f"gallery/{number:02}.jpg"
        pixels, entry = decode(paths[k]).pixels, found.pictures[k]
        draw_boxes(pixels, [], out / name, side=400)
        looked = None
        if isinstance(kept.model, Captioning) and entry["caption"]:
            looked = f"gallery/{number:02}-words.jpg"
            grid, sentence = material.grids[part][k], entry["caption"]
            draw_attention(
                kept.model,
                kept.vocabulary,
                grid,
                sentence,
                pixels,
                material.preprocess,
                out / looked,
            )
        shown.append({**entry, "picture": name, "looked": looked})
    return {"captions": shown, "n": found.n}
