"""What a file's answers are averaged over: what it decided, what is asked for, or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.model.average import mean_logits
from darter.model.info import ModelInfo, Over
from darter.model.tasks import get_task
from darter.picture import Look, is_look, make_look

NONE = "none"


@dataclass(frozen=True)
class Averaging:
    """look: how each picture is looked at.   merge: rows (looks, classes) of logits to one; a last
    column, of the novelty, is averaged as it is.
    info: the model's, with the calibration that fits the mean where one was fitted."""

    look: Look
    merge: Callable[[NDArray], NDArray]
    info: ModelInfo


def averaging(info: ModelInfo, over: Sequence[str] | None = None) -> Averaging:
    """How a file answers.

    over: None for what the file decided; ("none",) or () for a single look; else sources as
        `darter.picture.make_look` takes, or "models", for a file that holds several.
    Raises OptionError for a source that a file alone cannot be averaged over.
    """
    chosen = info.over if over is None else _asked(info, tuple(over))
    if chosen is None:
        return Averaging(make_look((), info.preprocess), _only, info)
    look = make_look(chosen.sources, info.preprocess, augment=info.card.get("augment"))
    task = get_task(info.task)

    def merge(rows: NDArray) -> NDArray:
        classes = len(info.classes)
        mean = mean_logits(task, rows[:, :classes], chosen.weights)
        return np.append(mean, rows[:, classes:].mean(axis=0))

    return Averaging(look, merge, replace(info, calibration=chosen.calibration))


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
            f"{strange[0]}: a model file can be averaged over views, flip, augment and models; "
            "noisy layers are sampled in PyTorch, by darter.noise.marginalize"
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
