"""Is averaging over several looks worth it? Measured on the validation pictures: worth.json."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.job.material import Start, Trained, kept_draws
from darter.job.run import Run
from darter.model import (
    ModelInfo,
    Over,
    Session,
    averaging,
    get_task,
    limit_of_mean,
    load,
    mean_logits,
    stream_logits,
    with_calibration,
    write_info,
)
from darter.noise import WorthTable, fit_weights, worth_it
from darter.picture import Look

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
        targets = material.targets[[val[k] for k in chosen]]
        ways = _ways(session, looks, paths, progress) | _drawn(session, start, trained, paths)
        table, over = _table(session, ways, targets, cost, trained, chosen)
        run.folder.record("worth", table.to_json())
        write_info(run.folder.model, _with_fitted(session.info, ways, targets, over))
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


@dataclass(frozen=True)
class _Way:
    """Answers to the same pictures: logits (samples, pictures, classes), novelty (samples,
    pictures, 1 or 0).   looks: that each picture needs.   keepable: a file can do so by itself."""

    logits: NDArray[np.float32]
    novelty: NDArray[np.float32]
    looks: int
    keepable: bool = True


def _ways(
    session: Session,
    looks: tuple[str, ...],
    paths: list[Path],
    progress: Callable[[int, int], None],
) -> dict[str, _Way]:
    """One look, and the looks of each way to answer, by name."""
    look = averaging(session.info, looks).look
    every, novelty = _rows(session.rows, session, paths, look, progress)
    parts = {ONE: slice(0, 1)} | ROWS[looks]
    return {
        name: _Way(every[part], novelty[part], len(every[part])) for name, part in parts.items()
    }


def _drawn(session: Session, start: Start, trained: Trained, paths: list[Path]) -> dict[str, _Way]:
    """The draws of the head's noise that the file holds, at one look."""
    kept = kept_draws(start, trained)
    if not kept:
        return {}
    name = ",".join(f"{kind}:{kept['draws']}" for kind in kept["drawn"])
    run = partial(session.drawn, draws=kept["draws"])
    logits, novelty = _rows(run, session, paths)
    return {name: _Way(logits[0], novelty[0], 1, keepable=False)}


def _rows(
    run: Callable[[NDArray], NDArray],
    session: Session,
    paths: list[Path],
    look: Look | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (looks, …, pictures, classes); and of a file that says how foreign a picture is, that,
    else an empty array: (looks, …, pictures, 1 or 0)."""
    classes, rows = len(session.info.classes), []
    answers = stream_logits(
        run, session.info, paths, batch_size=16, look=look, merge=lambda rows: rows
    )
    for done, (_, found, _) in enumerate(answers, 1):
        rows.append(found)
        progress(done, len(paths))
    every = np.stack(rows, axis=-2)
    return every[..., :classes], every[..., classes:]


def _with_fitted(
    info: ModelInfo, ways: Mapping[str, _Way], targets: NDArray[Any], over: Over | None
) -> ModelInfo:
    """The info with what was decided, and a calibration of its own for every way, which may be
    asked for: among its limits the mean novelty that as many pictures stay below as stay below the
    limit at one look."""
    task, limit = get_task(info.task), info.calibration.unknown_above
    info = replace(info, over=over)
    for name, way in ways.items():
        if name == ONE:
            continue
        sources = tuple(name.split(","))
        weights = over.weights if over is not None and over.sources == sources else ()
        found = task.calibrate(mean_logits(task, way.logits, weights), targets)
        if limit is not None and way.novelty.size:
            plain, mean = ways[ONE].novelty[0, :, 0], way.novelty[..., 0].mean(axis=0)
            found = replace(found, unknown_above=limit_of_mean(limit, plain, mean))
        info = with_calibration(info, sources, found)
    return info


def _table(
    session: Session,
    ways: Mapping[str, _Way],
    targets: NDArray[Any],
    cost: float,
    trained: Trained,
    chosen: list[int],
) -> tuple[WorthTable, Over | None]:
    task = get_task(session.info.task)
    others = {name: way.logits for name, way in ways.items() if name != ONE}
    means: dict[str, NDArray[Any]] = {n: mean_logits(task, each) for n, each in others.items()}
    able = [name for name in others if ways[name].keepable]
    best = max(able, key=lambda name: float(task.rightness(means[name], targets).mean()))
    means[best + WEIGHTED] = _cross_fitted(task, others[best], targets)
    prices = {name: cost * ways[name.removesuffix(WEIGHTED)].looks for name in means}
    if trained.members:
        means["the first model alone"] = trained.fitted.val_logits[chosen]
        prices["the first model alone"] = cost / (1 + len(trained.members))
    table = worth_it(
        task,
        targets,
        ways[ONE].logits[0],
        means,
        milliseconds={ONE: cost, **prices},
        name=ONE,
        keepable=[*able, best + WEIGHTED],
    )
    if table.kept == ONE:
        return table, None
    name = table.kept.removesuffix(WEIGHTED)
    weights = fit_weights(others[name], targets, task=task).tolist() if name != table.kept else []
    return table, Over((name,), tuple(weights))


def _cross_fitted(task: Any, rows: NDArray[np.float32], targets: NDArray[Any]) -> NDArray:
    """Weighted means, where the weights of each half of the pictures come from the other half."""
    found = np.empty(rows.shape[1:])
    halves = np.arange(len(targets)) % 2
    for half in (0, 1):
        here, there = halves == half, halves != half
        weights = fit_weights(rows[:, there], targets[there], task=task).tolist()
        found[here] = mean_logits(task, rows[:, here], weights)
    return found
