"""How much each rung of the race may cost: pure arithmetic on measured seconds per picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darter.transfer.records import Candidate

EVALUATION = 0.25  # cost of judging a picture, as a share of training on it once
_HELD_SHARE = 0.3  # of a rung's time, at most, for judging
_LEAST_EPOCHS = 2


@dataclass(frozen=True)
class Rung:
    """One round of the race: every candidate trains and is judged in the same way."""

    epochs: int
    train: int
    held: int
    folds: int


def rungs_for(candidates: int) -> int:
    """Rungs until two are left, keeping a third each time, and one to measure those two well."""
    rungs = 1
    while candidates > 2:
        candidates, rungs = survivors(candidates), rungs + 1
    return rungs


def survivors(candidates: int) -> int:
    return min(candidates, max(2, math.ceil(candidates / 3)))


def seconds_of(rung: Rung, cost: float) -> float:
    """Of one trial (one fold). cost: seconds to train on one picture once."""
    return cost * (rung.train * rung.epochs + EVALUATION * rung.held)


def plan_rung(
    candidates: Sequence[Candidate],
    costs: Mapping[str, float],
    seconds: float,
    *,
    train: int,
    held: int,
    folds: int,
    classes: int,
    last: bool,
) -> Rung | None:
    """What these candidates can do in these seconds; None where it would be too little to judge.

    train, held: pictures in a fold. costs: seconds per picture by strategy. last: the rung that
    decides, where further folds make the judgement finer.
    """
    rate = sum(costs[c.strategy.name] for c in candidates)
    held = min(held, int(_HELD_SHARE * seconds / (EVALUATION * rate)))
    work = (seconds / rate) - EVALUATION * held  # picture-epochs for each candidate
    least = min(train, max(32, 4 * classes))
    if held < min(16, classes) or work < least:
        return None
    most_epochs = max(c.strategy.epochs for c in candidates)
    used_folds = 1
    if last:
        fair = 3 * _LEAST_EPOCHS  # epochs before another fold is worth more than another epoch
        used_folds = min(folds, max(1, int(work / (train * fair))))
    work /= used_folds
    epochs = min(most_epochs, max(1, int(work / train), min(_LEAST_EPOCHS, int(work / least))))
    return Rung(epochs, min(train, int(work / epochs)), held, used_folds)
