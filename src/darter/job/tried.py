"""What came of each way to a wish, and which of the nets is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darter.job.ways import Way
from darter.kernels import FLOAT32


@dataclass(frozen=True)
class Tried:
    """One way and what came of it. divergence: of its answers from the trained net's, in nats.

    ms, score, divergence: as it runs, in `precision`.
    """

    way: str
    what: str
    size: int
    ms: float
    weights: int
    score: float
    divergence: float
    steps: int = 0
    met: bool = False
    kept: bool = False
    precision: str = FLOAT32


@dataclass(frozen=True)
class Made:
    """A way, what came of it, and how right it was about each validation picture (pictures,)."""

    way: Way
    row: Tried
    right: NDArray[np.float64]


def best(made: Sequence[Made]) -> Made:
    """Of those that meet the wish (the fastest, where none does), the net to keep.

    Whose answers are nearest to the trained net's, among all that are less accurate than the most
    accurate by no more than the standard error of the difference: a few pictures tell little about
    accuracy, but much about how far answers have moved.
    """
    fastest = min(each.row.ms for each in made)
    met = [each for each in made if each.row.met]
    nearest = met or [each for each in made if each.row.ms == fastest]
    top = max(nearest, key=lambda each: each.row.score)
    as_good = [each for each in nearest if not _is_worse(each.right, top.right)]
    return min(as_good, key=lambda each: each.row.divergence)


def _is_worse(right: NDArray[np.float64], than: NDArray[np.float64]) -> bool:
    lost = than - right
    if len(lost) < 2:
        return False
    error = lost.std(ddof=1) / np.sqrt(len(lost))
    return bool(lost.mean() > error + 1e-9)  # a single picture is just that error
