"""The stages of the main job after training: the proven file, and what it is worth."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from darter.dataset import Scanned
from darter.files import user_cache
from darter.job.card import card_of
from darter.job.leaks import leaks_of
from darter.job.look import check_readable
from darter.job.material import Start, Trained, kept_draws
from darter.job.run import Run
from darter.job.run_folder import TRAINED
from darter.job.speed import measure_speed
from darter.job.strangers import strangeness
from darter.job.training import probe_on
from darter.job.verdict import margin, verdict
from darter.model import (
    Judged,
    ModelInfo,
    Session,
    evaluate_as,
    evaluate_samples,
    load,
    write_info,
)
from darter.train import explain as explain_answers
from darter.train import export, last_block, spell_out
from darter.transfer import features

SMALL_TEST = 200  # pictures; smaller tests show validation mistakes, too
MISTAKES_OF_VALIDATION = 12


def prove(run: Run, start: Start, trained: Trained, file: Path | None = None) -> None:
    """Write model.onnx and prove that it answers as the trained model does: parity.json.

    Both compute in float32, whatever the file asks for.   file: another name for it.
    """
    folder, material = run.folder, start.material
    file = file or folder.model
    part, indices = material.judged
    validation = material.examples(material.split.val)
    calibration = material.task.calibrate(trained.val_logits(material.task), validation.targets)
    preprocess = trained.preprocess(start)
    model = trained.model(material.task)
    info = ModelInfo(
        material.audit.classes,
        preprocess,
        calibration,
        task=material.task.name,
        precision=trained.precision,
    )
    if start.recipe.keep_draws and not kept_draws(start, trained):
        run.screen.line("export", "keep_draws: its head drops nothing, so none are kept")
    with folder.stage("export"):
        strange = strangeness(run, start, trained, model, calibration.temperature)
        if strange is not None:
            folder.record("strangeness", strange.to_json())
            limits = replace(calibration, unknown_above=strange.above)
            info = replace(info, calibration=limits)
        parity = export(
            model,
            file,
            info,
            material.examples(indices).pictures,
            strange=strange,
            draws=kept_draws(start, trained).get("draws", 0),
        )
        folder.record("parity", parity.to_json())
    text = (
        f"{file}: equal to the trained network on {parity.pictures} {part} pictures "
        f"(largest difference of a probability {parity.max_probability_difference:.1e})"
    )
    run.say("export", text)


def judge(run: Run, start: Start, trained: Trained) -> None:
    """Measure model and baseline on held-out pictures: evaluation.json, the verdict, the card."""
    folder, material, fitted = run.folder, start.material, trained.fitted
    part, indices = material.judged
    material.check(indices)
    session = load(folder.model)
    with run.stage("evaluate") as progress:
        sources = material.pictures(indices)
        found = _answers(session, sources, material.names(indices), progress)
        folder.record("evaluation", found.to_json(split=part))
        probe = _baseline(start, sources, indices)
    gain, leaks = margin(found.right, probe.right), leaks_of(material, found.right)
    sentence = verdict(
        trained.chosen.strategy.name,
        float(found.right.mean()),
        float(probe.right.mean()),
        gain,
        measure=material.task.measure,
        part=part,
        steps=fitted.history[-1]["step"] if fitted.history else None,
        best_epoch=fitted.best_epoch if fitted.history else None,
        asked=run.recipe.strategy != "auto",
        caution=". ".join(filter(None, (found.caution, leaks.caution()))) or None,
    )
    sentence = " ".join(filter(None, (sentence, leaks.note())))
    result = {**_figures(found), "n": found.n, "split": part}
    baseline = {"name": "linear-probe", **_figures(probe)}
    folder.save(result=result, baseline=baseline, margin=gain.to_json(), verdict=sentence)
    folder.save(leaks=leaks.to_json() | {"caution": leaks.caution(), "note": leaks.note()})
    write_info(folder.model, replace(session.info, card=_card(run, start, trained)))
    explain(run, start, trained, found)
    with folder.stage("speed"):
        before = folder.path / TRAINED if run.options.wish is not None else None
        model = trained.model(material.task)
        folder.record("speed", measure_speed(folder.model, model, before=before))


def explain(run: Run, start: Start, trained: Trained, found: Judged) -> None:
    """Draw where the network looked, in its worst mistakes and some right answers: explain.json.

    A small test has few mistakes to learn from, so validation pictures add theirs, as such.
    """
    material, model = start.material, trained.fitted.model
    part, indices = material.judged
    with run.stage("explain") as progress:
        draw = partial(
            explain_answers,
            model,
            last_block(model.backbone),
            trained.preprocess(start),
            out=run.folder.path,
            classes=material.audit.classes,
            progress=progress,
        )
        record = draw(material.samples(indices), found.predictions)
        if part == "test" and found.n < SMALL_TEST and len(material.split.val):
            held = _validation(start, trained)
            drawn = draw(
                material.samples(material.split.val),
                held.predictions,
                mistakes=MISTAKES_OF_VALIDATION,
                correct=0,
                prefix="validation-",
            )
            wrong = len(drawn["mistakes"]) and int((held.right < 1).sum())
            record["validation"] = {"mistakes": drawn["mistakes"], "wrong": wrong, "n": held.n}
        run.folder.record("explain", record)


def _validation(start: Start, trained: Trained) -> Judged:
    """The trained network's answers on the validation pictures."""
    material, val = start.material, start.material.split.val
    logits, targets = trained.val_logits(material.task), material.targets[list(val)]
    return evaluate_as(
        material.task.name,
        logits,
        targets,
        material.audit.classes,
        calibration=material.task.calibrate(logits, targets),
        paths=material.names(val),
    )


def _answers(
    session: Session,
    sources: list[Scanned],
    names: list[str],
    progress: Callable[[int, int], None],
) -> Judged:
    found = evaluate_samples(session, [s.sample for s in sources], progress=progress)
    check_readable(found.unreadable)
    named = zip(found.predictions, names, strict=True)
    return replace(found, predictions=tuple({**p, "path": name} for p, name in named))


def _figures(found: Judged) -> dict[str, Any]:
    return {
        "measure": found.measure,
        "accuracy": found.score,
        "interval": found.interval,
        **found.beside,
    }


def _baseline(start: Start, sources: list[Scanned], indices: tuple[int, ...]) -> Judged:
    """The linear probe on the last layer, measured on the same pictures."""
    cache = user_cache("features")
    rows = features(
        start.backbone,
        sources,
        start.preprocess,
        cache_dir=cache,
        device=start.recipe.device,
    )
    material = start.material
    logits = probe_on(start, "last").logits(rows.last)
    return evaluate_as(
        material.task.name,
        logits,
        material.targets[list(indices)],
        material.audit.classes,
        paths=material.names(indices),
    )


def _arranged(run: Run) -> dict[str, Any]:
    """How the model was made faster or smaller, if it was."""
    tried = run.folder.read("arranged")["tried"] if run.folder.has("arranged") else ()
    kept = [row for row in tried if row["kept"]]
    told = ("way", "what", "steps", "precision")
    return {"arranged": {key: kept[0].get(key) for key in told}} if kept else {}


def _eight_bits(run: Run) -> dict[str, Any]:
    """How the file was quantized, if it was."""
    found = run.folder.read("quantized") if run.folder.has("quantized") else None
    if found is None or not found["kept"]:
        return {}
    told = ("from", "calibration", "layers", "float_layers", "lost_when_chosen")
    return {"quantized": {key: found["made"][key] for key in told}}


def _members(trained: Trained) -> dict[str, Any]:
    """What the models of an ensemble start from and weigh, where they differ."""
    differ = len(set(trained.backbones)) > 1
    from_ = {"members_from": trained.backbones} if differ else {}
    return from_ | ({"weights": list(trained.weights)} if trained.weights else {})


def _unknown(run: Run) -> dict[str, Any]:
    """By which measure the file says how foreign a picture is, if it does."""
    measured = run.folder.has("strangeness")
    return {"unknown_by": run.folder.read("strangeness")["measure"]} if measured else {}


def _card(run: Run, start: Start, trained: Trained) -> dict[str, Any]:
    """The model card that travels in the file."""
    augment = start.recipe_with_changes(trained.chosen.mirror_safe).augment
    own = {
        "strategy": trained.chosen.strategy.name,
        "members": 1 + len(trained.members),
        **_members(trained),
        **_unknown(run),
        **kept_draws(start, trained),
        **_arranged(run),
        **_eight_bits(run),
        "augment": spell_out(augment),
    }
    return card_of(run, trained.fitted, ("result", "baseline", "margin"), **own)
