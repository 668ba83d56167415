"""How much each rung of the race may cost: pure arithmetic on measured seconds."""

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


@dataclass(frozen=True)
class Cost:
    """Seconds of a short training: for each picture that it trains on, and once for all of them.

    once: building the net, its very first step, which prepares the operations, and packing up.
    Counted into each picture of a training that is timed on few, it would make longer ones look
    far too dear.
    """

    picture: float
    once: float = 0.0

    @classmethod
    def of(cls, seconds: float, work: float, pace: float | None) -> "Cost":
        """Of one training that was timed: never less than it took.

        work: pictures it trained on, each time counted, and EVALUATION for each that it judged.
        pace: seconds per picture after its first step; None where it had only one.
        """
        picture = seconds / work
        if pace:
            picture = min(picture, pace)
        return cls(picture, seconds - picture * work)

    def seconds(self, work: float) -> float:
        return self.once + self.picture * work

    def room(self, seconds: float, trainings: int = 1) -> float:
        """The work that fits into these seconds, cut into so many trainings."""
        return max(0.0, seconds - trainings * self.once) / self.picture


def rungs_for(candidates: int) -> int:
    """Rungs until two are left, keeping a third each time, and one to measure those two well."""
    rungs = 1
    while candidates > 2:
        candidates, rungs = survivors(candidates), rungs + 1
    return rungs


def survivors(candidates: int) -> int:
    return min(candidates, max(2, math.ceil(candidates / 3)))


def usual(pictures: float, least: float) -> float:
    """A number of pictures on a coarse scale, the next below: times that are measured a little
    differently, on a busier machine or by more processes, give the same rung.

    least: where the scale begins, so that what is just enough stays so; 0 below.
    """
    if pictures < least:
        return 0.0
    return least * _STEP ** math.floor(math.log(pictures / least, _STEP) + 1e-9)


def seconds_of(rung: Rung, strategy: Strategy, cost: Cost) -> float:
    """Of one trial (one fold)."""
    return cost.seconds(rung.train * rung.epochs[strategy.name] + EVALUATION * rung.held)


def plan_rung(
    candidates: Sequence[Candidate],
    costs: Mapping[str, Cost],
    seconds: float,
    *,
    train: int,
    held: int,
    folds: int,
    classes: int,
    last: bool,
) -> Rung | None:
    """What these candidates can do in these seconds; None where it would be too little to judge.

    train, held: pictures in a fold. costs: by strategy name. last: the rung that decides, where
    further folds make the judgement finer.
    """
    names = list(dict.fromkeys(c.strategy.name for c in candidates))
    share = seconds / len(candidates)
    least = max(_LEAST_WORK, 4 * classes)
    enough = min(least + EVALUATION * held, least / (1 - _HELD_SHARE))
    dearest = min(usual(costs[name].room(share), enough) for name in names)
    held = min(held, int(_HELD_SHARE * dearest / EVALUATION))
    if not dearest or held < min(16, classes):
        return None

    def works(folds: int) -> dict[str, float]:
        """Pictures to train on in each of so many folds, by strategy."""
        return {
            name: usual(costs[name].room(share, folds), enough) / folds - EVALUATION * held
            for name in names
        }

    fair = 3 * _LEAST_EPOCHS  # epochs before another fold is worth more than another epoch
    more = range(folds, 1, -1) if last else ()
    used = next((n for n in more if min(works(n).values()) >= fair * train), 1)
    work = works(used)
    train = min(train, int(min(work.values()) / _LEAST_EPOCHS))
    most = {c.strategy.name: c.strategy.epochs for c in candidates}
    epochs = {name: max(1, min(most[name], int(work[name] / train + 1e-9))) for name in names}
    return Rung(epochs, train, held, used)
