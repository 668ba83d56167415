"""How much each rung of the race may cost: pure arithmetic on measured seconds per picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darter.transfer.records import Candidate
from darter.transfer.strategies import Strategy

EVALUATION = 0.25  # cost of judging a picture, as a share of training on it once
_HELD_SHARE = 0.3  # of a rung's time, at most, for judging
_LEAST_EPOCHS = 2
_LEAST_WORK = 320  # pictures to train on, counted each time: 20 steps of a usual batch
_STEP = 1.25  # between sizes of work that a rung may have


@dataclass(frozen=True)
class Rung:
    """One round of the race: the same pictures and about the same seconds for every candidate.

    train, held: pictures of a fold to learn from, and to be judged on.
    epochs: by strategy name; a net that trains faster sees its pictures more often.
    """

    epochs: Mapping[str, int]
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


def usual(pictures: float) -> float:
    """A number of pictures on a coarse scale, the next below: times that are measured a little
    differently, on a busier machine or by more processes, give the same rung."""
    return _STEP ** math.floor(math.log(pictures, _STEP) + 1e-9) if pictures > 0 else 0.0


def seconds_of(rung: Rung, strategy: Strategy, cost: float) -> float:
    """Of one trial (one fold). cost: seconds to train on one picture once."""
    return cost * (rung.train * rung.epochs[strategy.name] + EVALUATION * rung.held)


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
    strategies = dict.fromkeys(c.strategy for c in candidates)
    share = seconds / len(candidates)
    rooms = {s.name: usual(share / costs[s.name]) for s in strategies}  # pictures to train on
    room = min(rooms.values())
    held = min(held, int(_HELD_SHARE * room / EVALUATION))
    work = room - EVALUATION * held
    if held < min(16, classes) or work < max(_LEAST_WORK, 4 * classes):
        return None
    used_folds = 1
    if last:
        fair = 3 * _LEAST_EPOCHS  # epochs before another fold is worth more than another epoch
        used_folds = min(folds, max(1, int(work / (train * fair))))
    work /= used_folds
    train = min(train, int(work / _LEAST_EPOCHS))
    epochs = {
        s.name: max(1, min(s.epochs, int(work * rooms[s.name] / room / train + 1e-9)))
        for s in strategies
    }
    return Rung(epochs, train, held, used_folds)
