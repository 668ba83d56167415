"""Whether averaging is worth it: gain with its interval, and cost, of each source of noise."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.model import Task, get_task

DRAWS = 4000  # of the bootstrap


@dataclass(frozen=True)
class Worth:
    """One way to answer, held against the plain one on the same n pictures.

    gain, interval: difference of the mean rightness (the accuracy, of one label per picture) and
        its 95% interval; None of the plain one.   loss: mean log loss in nats; loss_gain: how much
        less it is, with its interval.
    better, worse: pictures whose answer became right, or wrong.   p_value: of McNemar's exact test.
    milliseconds: per picture.   verdict: in words.   kept: it is what the model will do.
    """

    name: str
    score: float
    gain: float | None
    interval: tuple[float, float] | None
    better: int
    worse: int
    p_value: float | None
    loss: float
    loss_gain: float | None
    loss_interval: tuple[float, float] | None
    milliseconds: float | None
    verdict: str = ""
    kept: bool = False

    @property
    def helps(self) -> bool:
        return self.interval is not None and self.interval[0] > 0

    @property
    def more_honest(self) -> bool:
        """Its log loss is less by more than the error, and its answers are not clearly worse."""
        if self.interval is None or self.loss_interval is None:
            return False
        return self.loss_interval[0] > 0 and self.interval[1] >= 0


@dataclass(frozen=True)
class WorthTable:
    """rows: the plain answer first.   kept: the name of the row that is worth its cost."""

    rows: tuple[Worth, ...]
    kept: str
    pictures: int
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "kept": self.kept, "why": self.why,
                "rows": [asdict(row) for row in self.rows]}  # fmt: skip


def worth_it(
    task: Task | str,
    targets: ArrayLike,
    plain: NDArray[np.floating],
    others: Mapping[str, NDArray[np.floating]],
    *,
    milliseconds: Mapping[str, float] | None = None,
    name: str = "one look",
    keepable: Sequence[str] | None = None,
    seed: int = 0,
) -> WorthTable:
    """Compare averaged answers with plain ones on held-out pictures.

    plain, others: logits (n, classes), of means as `Marginal.logits` has them, by name.
    milliseconds: per picture, by name; the plain one's under `name`.
    keepable: names that a model file can keep; by default all.
    Kept is, of those whose gain exceeds its 95% interval, the cheapest that is not clearly worse
    than the best of them; where none does, the plain answer.
    """
    task = get_task(task) if isinstance(task, str) else task
    targets, cost = np.asarray(targets), milliseconds or {}
    right, losses = task.rightness(plain, targets), task.losses(plain, targets)
    rows = [
        Worth(name, _mean(right), None, None, 0, 0, None, _mean(losses), None, None,
              cost.get(name), "what the others are held against")
    ]  # fmt: skip
    hits: dict[str, NDArray[np.float64]] = {}
    for other, logits in others.items():
        hits[other] = task.rightness(logits, targets)
        loss = task.losses(logits, targets)
        rows.append(_row(other, right, hits[other], losses, loss, cost.get(other), seed))
    kept, why = _choose(name, rows, hits, keepable, seed)
    return WorthTable(
        tuple(replace(row, kept=row.name == kept) for row in rows), kept, len(targets), why
    )


def paired_interval(
    differences: ArrayLike, *, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the mean of paired differences (n,); (0, 0) where all are 0.

    Where fewer than two pictures differ from the rest, resampling says little; such an interval
    is widened to hold 0.
    """
    values = np.asarray(differences, np.float64)
    if not len(values) or not values.any():
        return 0.0, 0.0
    kinds, counts = np.unique(values, return_counts=True)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(values), counts / len(values), DRAWS) @ kinds / len(values)
    low, high = np.quantile(draws, ((1 - level) / 2, (1 + level) / 2))
    if np.count_nonzero(values) < 2:
        low, high = min(low, 0.0), max(high, 0.0)
    return float(low), float(high)


def mcnemar(better: int, worse: int) -> float:
    """Two-sided exact p-value that answers changed for the better as often as for the worse."""
    from math import comb

    n = better + worse
    if not n:
        return 1.0
    tail = sum(comb(n, k) for k in range(min(better, worse) + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def _row(
    name: str,
    right: NDArray[np.float64],
    hits: NDArray[np.float64],
    losses: NDArray[np.float64],
    loss: NDArray[np.float64],
    milliseconds: float | None,
    seed: int,
) -> Worth:
    interval = paired_interval(hits - right, seed=seed)
    loss_interval = paired_interval(losses - loss, seed=seed)
    better, worse = int((hits > right).sum()), int((hits < right).sum())
    gain, loss_gain = _mean(hits - right), _mean(losses - loss)
    if interval[0] > 0:
        verdict = "helps"
    elif interval[1] < 0:
        verdict = "does harm"
    elif loss_interval[0] > 0:
        verdict = "no more right answers, but more honest ones"
    else:
        verdict = "does not help"
    return Worth(
        name, _mean(hits), gain, interval, better, worse, mcnemar(better, worse),
        _mean(loss), loss_gain, loss_interval, milliseconds, verdict,
    )  # fmt: skip


def _choose(
    name: str,
    rows: list[Worth],
    hits: Mapping[str, NDArray[np.float64]],
    keepable: Sequence[str] | None,
    seed: int,
) -> tuple[str, str]:
    able = [row for row in rows[1:] if keepable is None or row.name in keepable]
    helpful = [row for row in able if row.helps]
    if not helpful:
        best = max(rows[1:], key=lambda row: row.gain or 0.0, default=None)
        if best is None:
            return name, "nothing else was tried"
        low, high = best.interval or (0.0, 0.0)
        return name, (
            f"no gain exceeds its error: the largest is {100 * (best.gain or 0):+.1f} points of "
            f"{best.name} (95% interval {100 * low:+.1f} to {100 * high:+.1f})"
        )
    best = max(helpful, key=lambda row: row.score)
    order = sorted(helpful, key=lambda row: (row.milliseconds or 0.0, -row.score))
    for row in order:
        if paired_interval(hits[best.name] - hits[row.name], seed=seed)[0] <= 0:
            low, high = row.interval or (0.0, 0.0)
            return row.name, (
                f"{100 * (row.gain or 0):+.1f} points (95% interval {100 * low:+.1f} to "
                f"{100 * high:+.1f}) over {name}"
            )
    return best.name, "the best"  # never reached: the best is not clearly worse than itself


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
