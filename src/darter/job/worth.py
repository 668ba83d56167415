"""Is averaging over several looks worth it? Measured on the validation pictures: worth.json."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.job.material import Start, Trained
from darter.job.run import Run
from darter.model import (
    Calibration,
    Over,
    Session,
    averaging,
    get_task,
    load,
    mean_logits,
    stream_logits,
    write_info,
)
from darter.noise import WorthTable, fit_weights, worth_it

SHARE = 0.08  # of the run's time, at most
FEWEST = 30  # pictures; fewer can show nothing
ONE = "one look"
# The looks of each way to answer, as rows of the widest one.
WIDE, NARROW = ("flip", "views:10x5"), ("flip", "views:10x1")
ROWS: dict[tuple[str, ...], dict[str, slice]] = {
    WIDE: {"flip": slice(0, 2), "views:10x1": slice(12, 22), "views:10x5": slice(2, 52)},
    NARROW: {"flip": slice(0, 2), "views:10x1": slice(2, 12)},
}
WEIGHTED = ", weighted"


def weigh(run: Run, start: Start, trained: Trained) -> None:
    """Compare ways to look at pictures, and let the file do what is worth its cost: worth.json."""
    material = start.material
    val = material.split.val
    if run.options.wish is not None and run.options.wish.of_speed:
        why = "several looks would take the time that was wished to be saved"
        run.folder.record("worth", {"why": why})
        return
    if len(val) < FEWEST:
        run.folder.record("worth", {"why": f"{len(val)} validation pictures can show nothing"})
        return
    with run.stage("worth") as progress:
        session = load(run.folder.model)
        cost = _milliseconds(session)
        looks, count = _affordable(run, cost, len(val))
        chosen = np.random.default_rng(start.recipe.seed).permutation(len(val))[:count].tolist()
        paths = [sample.path for sample in material.samples(tuple(val[k] for k in chosen))]
        rows, novelty = _rows(session, looks, paths, progress)
        targets = material.targets[[val[k] for k in chosen]]
        table, over = _table(session, looks, rows, targets, cost, trained, chosen)
        run.folder.record("worth", table.to_json())
        if over is not None:
            over = replace(over, calibration=_still_foreign(session, looks, over, novelty))
            write_info(run.folder.model, replace(session.info, over=over))
    kept = "answers are of one look" if table.kept == ONE else f"answers are over {table.kept}"
    run.say("worth", f"{kept}: {table.why}")


def _affordable(run: Run, cost: float, most: int) -> tuple[tuple[str, ...], int]:
    """The widest looks that enough pictures can be given in the time, and how many pictures."""
    budget = SHARE * run.options.seconds
    for looks, count in ((WIDE, 52), (NARROW, 12)):
        able = int(1e3 * budget / (cost * count))
        if able >= min(most, 4 * FEWEST):
            return looks, min(most, able)
    return NARROW, min(most, max(FEWEST, able))


def _milliseconds(session: Session) -> float:
    """Of one look, among many."""
    height, width = session.info.preprocess.sides
    images = np.zeros((16, 3, height, width), np.float32)
    session.logits(images)
    started = time.perf_counter()
    session.logits(images)
    return 1e3 * (time.perf_counter() - started) / len(images)


def _rows(
    session: Session, looks: tuple[str, ...], paths: list[Any], progress: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (looks, pictures, classes), the first row the plain answer; and of a file that says
    how foreign a picture is, that, else an empty array: (looks, pictures, 1 or 0)."""
    look, classes = averaging(session.info, looks).look, len(session.info.classes)
    rows = []
    answers = stream_logits(
        session.rows, session.info, paths, batch_size=16, look=look, merge=lambda rows: rows
    )
    for done, (_, found, _) in enumerate(answers, 1):
        rows.append(found)
        progress(done, len(paths))
    every = np.stack(rows, axis=1)
    return every[..., :classes], every[..., classes:]


def _still_foreign(
    session: Session, looks: tuple[str, ...], over: Over, novelty: NDArray[np.float32]
) -> Calibration:
    """The calibration of the mean, with the mean novelty that as many pictures stay below as stay
    below the limit at one look."""
    limit = session.info.calibration.unknown_above
    if limit is None or not novelty.size:
        return over.calibration
    kept = float((novelty[0] <= limit).mean())
    mean = novelty[ROWS[looks][over.sources[0]]].mean(axis=0)
    return replace(over.calibration, unknown_above=float(np.quantile(mean, kept, method="higher")))


def _table(
    session: Session,
    looks: tuple[str, ...],
    rows: NDArray[np.float32],
    targets: NDArray[Any],
    cost: float,
    trained: Trained,
    chosen: list[int],
) -> tuple[WorthTable, Over | None]:
    task = get_task(session.info.task)
    others = {name: rows[part] for name, part in ROWS[looks].items()}
    means: dict[str, NDArray[Any]] = {n: mean_logits(task, each) for n, each in others.items()}
    best = max(means, key=lambda name: float(task.rightness(means[name], targets).mean()))
    means[best + WEIGHTED] = _cross_fitted(task, others[best], targets)
    prices = {name: cost * len(others[name.removesuffix(WEIGHTED)]) for name in means}
    if trained.members:
        means["the first model alone"] = trained.fitted.val_logits[chosen]
        prices["the first model alone"] = cost / (1 + len(trained.members))
    table = worth_it(
        task,
        targets,
        rows[0],
        means,
        milliseconds={ONE: cost, **prices},
        name=ONE,
        keepable=[name for name in means if name.removesuffix(WEIGHTED) in others],
    )
    if table.kept == ONE:
        return table, None
    name = table.kept.removesuffix(WEIGHTED)
    weights = fit_weights(others[name], targets, task=task).tolist() if name != table.kept else []
    answer = mean_logits(task, others[name], weights)
    return table, Over((name,), tuple(weights), task.calibrate(answer, targets))


def _cross_fitted(task: Any, rows: NDArray[np.float32], targets: NDArray[Any]) -> NDArray:
    """Weighted means, where the weights of each half of the pictures come from the other half."""
    found = np.empty(rows.shape[1:])
    halves = np.arange(len(targets)) % 2
    for half in (0, 1):
        here, there = halves == half, halves != half
        weights = fit_weights(rows[:, there], targets[there], task=task).tolist()
        found[here] = mean_logits(task, rows[:, here], weights)
    return found
