"""Two nets on the same pictures: how often they agree, and how right each is."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Sample
from darter.errors import DataError
from darter.model import (
    ModelInfo,
    Session,
    evaluate_as,
    get_task,
    paired_interval,
    stream_logits,
    wilson,
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Score:
    """One net.   value: of what `measure` names, None without labels.   interval: of 95%."""

    measure: str
    value: float | None
    interval: tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """A net held against another on the same n pictures.

    agreement: share of pictures with the same answer, and its 95% interval.
    points: by how much more of the pictures it is right, in points (negative: a drop), with the
    95% interval of paired answers; None without labels.   better, worse: pictures whose answer
    became right, or wrong.
    """

    n: int
    agreement: float
    agreement_interval: tuple[float, float]
    points: float | None = None
    points_interval: tuple[float, float] | None = None
    better: int | None = None
    worse: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def logits_of_files(
    session: Session, samples: Sequence[Sample], progress: Progress | None = None
) -> tuple[list[Sample], NDArray[np.float32]]:
    """The pictures that can be read, and logits (n, classes) of a single look at each.

    Raises DataError where none can be read.
    """
    read: list[Sample] = []
    rows: list[NDArray[Any]] = []
    paths = (sample.path for sample in samples)
    answers = stream_logits(session.logits, session.info, paths, batch_size=8)
    for done, (sample, (_, scores, _)) in enumerate(zip(samples, answers, strict=True), 1):
        if not isinstance(scores, str):
            read.append(sample)
            rows.append(scores)
        if progress is not None:
            progress(done, len(samples))
    if not rows:
        raise DataError(f"none of the {len(samples)} pictures can be read")
    return read, np.stack(rows)


def score(logits: NDArray[Any], targets: Any | None, info: ModelInfo) -> Score:
    """How right a net's logits (n, classes) are, as its task measures it.

    targets: as the task has them, or None where nothing is known.
    """
    if targets is None:
        return Score("agreement", None, (0.0, 1.0))
    nameless = [""] * len(logits)
    found = evaluate_as(
        info.task, logits, targets, info.classes, calibration=info.calibration, paths=nameless
    )
    return Score(found.measure, found.score, found.interval)


def difference(
    logits: NDArray[Any], base: NDArray[Any], targets: Any | None, info: ModelInfo
) -> Difference:
    """A net's logits (n, classes) held against those of another."""
    task = get_task(info.task)
    ours, theirs = (
        task.answers(task.probabilities(each, info.calibration.temperature), info.calibration)
        for each in (logits, base)
    )
    same = (ours == theirs).all(axis=1)
    n = len(same)
    found = Difference(n, float(same.mean()), wilson(int(same.sum()), n))
    if targets is None:
        return found
    gain = task.rightness(logits, targets) - task.rightness(base, targets)
    low, high = paired_interval(gain)
    return Difference(
        n,
        found.agreement,
        found.agreement_interval,
        points=100 * float(gain.mean()),
        points_interval=(100 * low, 100 * high),
        better=int((gain > 0).sum()),
        worse=int((gain < 0).sum()),
    )


def points_lost(
    logits: NDArray[Any], base: NDArray[Any], targets: Any | None, info: ModelInfo
) -> float:
    """Points of rightness that a net's logits (n, classes) lose against another's; of agreement
    where nothing is known."""
    found = difference(logits, base, targets, info)
    return 100 * (1 - found.agreement) if found.points is None else -found.points
