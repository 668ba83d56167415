"""What a file's answers are averaged over: what it decided, what is asked for, or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.model.average import mean_logits
from darter.model.info import ModelInfo, Over
from darter.model.tasks import get_task
from darter.picture import Look, draws_of, is_look, make_look

NONE, SAMPLED = "none", ("dropout", "dropconnect")


@dataclass(frozen=True)
class Averaging:
    """look: how each picture is looked at.   merge: rows (looks, classes) of logits to one; a last
    column, of the novelty, is averaged as it is.   draws: of the head's noise, for each look; their
    rows are (looks, draws, classes).
    info: the model's, with the calibration that fits the mean where one was fitted, and that of a
    single look elsewhere; fitted says which."""

    look: Look
    merge: Callable[[NDArray], NDArray]
    info: ModelInfo
    draws: int = 0
    fitted: bool = True


def averaging(info: ModelInfo, over: Sequence[str] | None = None) -> Averaging:
    """How a file answers.

    over: None for what the file decided; ("none",) or () for a single look; else sources as
        `darter.picture.make_look` takes, or "models", for a file that holds several.
    Raises OptionError for a source that a file alone cannot be averaged over.
    """
    if over is None:
        fit, looks, drawn = info.over, info.over.sources if info.over else (), 0
    else:
        drawn, rest = _drawn(info, tuple(over))
        looks = _looks(info, rest)
        fit = fitted_for(info, sources_of(over))
    if not looks and not drawn:
        return Averaging(make_look((), info.preprocess), _only, info)
    weights = fit.weights if fit else ()
    look = make_look(looks, info.preprocess, augment=info.card.get("augment"))
    task = get_task(info.task)

    def merge(rows: NDArray) -> NDArray:
        classes = len(info.classes)
        shares = [w for w in weights for _ in range(drawn or 1)]
        rows = rows.reshape(-1, rows.shape[-1])
        mean = mean_logits(task, rows[:, :classes], shares)
        return np.append(mean, rows[:, classes:].mean(axis=0))

    calibration = fit.calibration if fit else info.calibration
    return Averaging(look, merge, replace(info, calibration=calibration), drawn, fit is not None)


def sources_of(over: Sequence[str]) -> tuple[str, ...]:
    """What is asked for beside a single look of all models that the file holds."""
    return tuple(source for source in over if source not in ("models", NONE))


def fitted_for(info: ModelInfo, sources: tuple[str, ...]) -> Over | None:
    """What is known of an average over these, if it was measured. Weights are of looks in their
    order; without weights the order does not matter."""
    known = (*((info.over,) if info.over else ()), *info.fitted)
    return next((over for over in known if over.sources == sources), None) or next(
        (over for over in known if not over.weights and set(over.sources) == set(sources)), None
    )


def _drawn(info: ModelInfo, over: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """How many draws of noise are asked for, and the other sources."""
    noisy = [source for source in over if source.partition(":")[0] in SAMPLED]
    if not noisy:
        return 0, over
    kinds, counts = [s.partition(":")[0] for s in noisy], {draws_of(s) for s in noisy}
    have, drawn = int(info.card.get("draws", 0)), list(info.card.get("drawn", ()))
    if not have:
        raise OptionError(
            f"{noisy[0]}: this file holds no noise to draw. Train with keep_draws = 16 in the "
            "recipe, or average in PyTorch, by darter.noise.marginalize"
        )
    if sorted(kinds) != sorted(drawn):
        raise OptionError(f"{','.join(noisy)}: this file's draws are of {' and '.join(drawn)}")
    if len(counts) > 1 or max(counts) > have:
        raise OptionError(f"{','.join(noisy)}: this file holds {have} draws; ask for no more")
    return counts.pop(), tuple(source for source in over if source not in noisy)


def _looks(info: ModelInfo, over: tuple[str, ...]) -> tuple[str, ...]:
    """The looks that are asked for."""
    if over in ((), (NONE,)):
        return ()
    if NONE in over:
        raise OptionError(f'"{NONE}" stands alone; got {",".join(over)}')
    if "models" in over and info.card.get("members", 1) < 2:
        raise OptionError(
            "models: this file holds one; `darter train --ensemble 3` trains several into one file"
        )
    looks = tuple(source for source in over if source != "models")
    strange = [source for source in looks if not is_look(source)]
    if strange:
        raise OptionError(
            f"{strange[0]}: a model file can be averaged over views, flip, augment, models "
            "and noise that was kept (dropout:16)"
        )
    return looks


def _only(rows: NDArray) -> NDArray:
    (row,) = rows
    return row


def novelty_of(row: NDArray, info: ModelInfo) -> float | None:
    """The last column of a row of logits and novelty, where there is one."""
    return float(row[-1]) if len(row) > len(info.classes) else None
