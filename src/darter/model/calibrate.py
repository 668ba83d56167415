"""Honest confidences and thresholds for averaged answers, fitted on labelled pictures."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import DataError
from darter.model.info import Calibration, ModelInfo, Over
from darter.model.over import averaging, fitted_for, sources_of
from darter.model.predict import Answer
from darter.model.tasks import get_task
from darter.names import one_form

if TYPE_CHECKING:
    from darter.dataset import Sample

FEWEST = 30  # pictures; fewer can show nothing


def recalibrated(
    info: ModelInfo,
    samples: Sequence["Sample"],
    answers: Sequence[Answer],
    over: Sequence[str] | None = None,
    plain: Sequence[Answer] = (),
) -> ModelInfo:
    """The info with the calibration of answers averaged over `over`, fitted to labelled pictures.

    samples, answers: as `answers_of(session, paths, over=over)` gives them for the samples.
    plain: answers of a single look, where the file tells how foreign a picture is: as many
    pictures stay known as do at one look. Without them, and for a single look, that limit stays.
    Raises DataError where fewer than FEWEST pictures can be read. Labels are classes of the model,
    as `evaluate_samples` checks.
    """
    classes, task = info.classes, get_task(info.task)
    own = {one_form(name): name for name in classes} | {name: name for name in classes}
    read = [k for k, (_, scores, _) in enumerate(answers) if not isinstance(scores, str)]
    if len(read) < FEWEST:
        raise DataError(
            f"{len(read)} pictures are too few to calibrate confidences; give {FEWEST} or more "
            "that the model has not learned from"
        )
    rows: NDArray[Any] = np.stack([np.asarray(answers[k][1]) for k in read])
    labels = [[own[name] for name in samples[k].labels] for k in read]
    found = task.calibrate(rows[:, : len(classes)], task.targets(labels, classes))
    limit = averaging(info, over).info.calibration.unknown_above
    if plain and info.calibration.unknown_above is not None:
        at_once = np.array([np.asarray(plain[k][1])[-1] for k in read])
        limit = limit_of_mean(info.calibration.unknown_above, at_once, rows[:, -1])
    return with_calibration(info, over, replace(found, unknown_above=limit))


def limit_of_mean(limit: float, plain: NDArray[Any], mean: NDArray[Any]) -> float:
    """The mean novelty that as many pictures stay below as stay below the limit at one look.

    plain, mean: novelty (N,) of the same pictures, at one look and averaged.
    """
    kept = int((plain <= limit).sum())
    return float(np.sort(mean)[max(0, kept - 1)])


def with_calibration(
    info: ModelInfo, over: Sequence[str] | None, calibration: Calibration
) -> ModelInfo:
    """The info that has this calibration for answers averaged over `over`, as of `averaging`."""
    if over is None:
        if info.over is None:
            return replace(info, calibration=calibration)
        return replace(info, over=replace(info.over, calibration=calibration))
    sources = sources_of(over)
    if not sources:
        return replace(info, calibration=calibration)
    known = fitted_for(info, sources)
    if known is not None and known is info.over:
        return replace(info, over=replace(known, calibration=calibration))
    others = tuple(each for each in info.fitted if each is not known)
    return replace(info, fitted=(*others, Over(sources, (), calibration)))
