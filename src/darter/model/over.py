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
    info: the model's, with the calibration that fits the mean where one was fitted."""

    look: Look
    merge: Callable[[NDArray], NDArray]
    info: ModelInfo
    draws: int = 0


def averaging(info: ModelInfo, over: Sequence[str] | None = None) -> Averaging:
    """How a file answers.

    over: None for what the file decided; ("none",) or () for a single look; else sources as
        `darter.picture.make_look` takes, or "models", for a file that holds several.
    Raises OptionError for a source that a file alone cannot be averaged over.
    """
    drawn, rest = (0, None) if over is None else _drawn(info, tuple(over))
    chosen = info.over if rest is None else _asked(info, rest)
    if chosen is None and not drawn:
        return Averaging(make_look((), info.preprocess), _only, info)
    sources, weights = (chosen.sources, chosen.weights) if chosen else ((), ())
    look = make_look(sources, info.preprocess, augment=info.card.get("augment"))
    task = get_task(info.task)

    def merge(rows: NDArray) -> NDArray:
        classes = len(info.classes)
        shares = [w for w in weights for _ in range(drawn or 1)]
        rows = rows.reshape(-1, rows.shape[-1])
        mean = mean_logits(task, rows[:, :classes], shares)
        return np.append(mean, rows[:, classes:].mean(axis=0))

    calibration = chosen.calibration if chosen else info.calibration
    return Averaging(look, merge, replace(info, calibration=calibration), drawn)


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


def _asked(info: ModelInfo, over: tuple[str, ...]) -> Over | None:
    if over in ((), (NONE,)):
        return None
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
    if not looks:
        return None
    if info.over is not None and looks == info.over.sources:
        return info.over
    return Over(looks, (), info.calibration)


def _only(rows: NDArray) -> NDArray:
    (row,) = rows
    return row


def novelty_of(row: NDArray, info: ModelInfo) -> float | None:
    """The last column of a row of logits and novelty, where there is one."""
    return float(row[-1]) if len(row) > len(info.classes) else None
