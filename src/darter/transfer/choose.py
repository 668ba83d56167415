"""Choose what to retrain by measuring it on the user's own training pictures, in two steps.

    examined = examine(found, labels, groups, STRATEGIES.values(), classes=2, budget_seconds=120)
    choice = choose(examined, trial)
    choice.strategy.name, choice.learning_rate, choice.why

What needs no training comes first: is a mirror image safe; the probes, cross-validated; the
learning curve. Then the strategies that train are raced at a few learning rates each, the cheapest
within one standard error of the best, on the same held-out pictures, wins, and the cell of the
table is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darter.errors import OptionError, ShapeError
from darter.model import Task
from darter.transfer import curve, decide, table
from darter.transfer.bench import Bench
from darter.transfer.features import Features
from darter.transfer.journal import Journal, Record
from darter.transfer.probe import CLASSIFY
from darter.transfer.race import Progress, Race
from darter.transfer.records import Ahead, Candidate, Cell, Choice, CurvePoint, TrialFunction
from darter.transfer.strategies import STRATEGIES, Strategy


@dataclass(frozen=True)
class Examined:
    """What is known of the training pictures before anything is trained.

    allowed: the strategies that may win, by name.   probes: the baseline first.
    mirror_safe, mirror: whether pictures may be flipped, and why.   points, advice: the learning
    curve, and what it says of more pictures.
    """

    bench: Bench
    allowed: Mapping[str, Strategy]
    mirror_safe: bool
    mirror: str
    probes: list[Candidate]
    points: tuple[CurvePoint, ...]
    advice: str

    @property
    def better_probe(self) -> Candidate:
        return max(self.probes, key=lambda c: c.accuracy or 0.0)


def examine(
    features: Features,
    targets: ArrayLike,
    groups: ArrayLike,
    strategies: Iterable[Strategy],
    *,
    classes: int,
    task: Task = CLASSIFY,
    budget_seconds: float,
    seed: int = 0,
    progress: Progress = lambda message, share: None,
    past: dict[str, Any] | None = None,
    record: Record | None = None,
) -> Examined:
    """Measure what needs no training; test pictures play no part.

    features: of the training pictures. targets: as the task has them, e.g. class numbers (N,).
    groups: integers (N,); one group stays together.
    strategies: those that may win; the linear probe is measured in any case, as the baseline.
    budget_seconds: for this and the race.
    progress: called with (what happens now, share of the budget spent).
    past, record: to resume; `record` is called with everything measured so far, `past` takes it.

    Raises ShapeError where features, targets and groups are not equally many; OptionError without
    a strategy, or with a budget below 0.
    """
    targets, groups = np.asarray(targets), np.asarray(groups, np.int64)
    if not len(features) == len(targets) == len(groups):
        counts = f"{len(features)} rows of features, {len(targets)} targets, {len(groups)} groups"
        raise ShapeError(f"examine: {counts}")
    allowed = {s.name: s for s in strategies}
    if not allowed:
        raise OptionError("examine: no strategy may win; give at least one")
    if budget_seconds < 0:
        raise OptionError(f"examine: budget_seconds is {budget_seconds}; expected 0 or more")
    journal = Journal(past, record)
    bench = Bench(features, targets, groups, classes, seed, journal, budget_seconds, task)
    progress("checking mirror images", 0.0)
    mirror_safe, mirror = bench.check_mirror()
    progress("linear probes", 0.0)
    probes = _measure_probes(bench, allowed)
    progress("learning curve", min(1.0, journal.spent / max(budget_seconds, 1e-9)))
    better = max(probes, key=lambda c: c.accuracy or 0.0)
    points = curve.learning_curve(bench, better.strategy.layers)
    return Examined(bench, allowed, mirror_safe, mirror, probes, points, curve.advice(points))


def choose(
    examined: Examined,
    trial: TrialFunction,
    *,
    picture_side: int | None = None,
    layers: str = "auto",
    progress: Progress = lambda message, share: None,
    ahead: Ahead = lambda calls: None,
) -> Choice:
    """Race the strategies that train, in what is left of the budget, which one trial may exceed.

    trial: trains and judges one candidate.
    picture_side: usual short side in pixels.
    ahead: told of the calls of `trial` that come next, so that they may run side by side. The
    budget counts the seconds of each.
    layers: what retrained nets' heads read, "last" or "all"; "auto" asks the probes.
    """
    bench, probes, allowed = examined.bench, examined.probes, examined.allowed
    known = {name: each for name, each in STRATEGIES.items() if each.raced} | dict(allowed)
    if layers == "auto" and decide.inner_layers_help(bench, probes):
        known = {name: decide.on_all_layers(s) for name, s in known.items()}
    racing, refused = decide.candidates(
        bench, known.values(), allowed, examined.better_probe, picture_side
    )
    reserve = sum(c.seconds / max(1, c.rungs[0]["folds"]) for c in probes)
    race = Race(bench, racing, trial, progress, reserve, ahead)
    if len(racing) > 1 or any(s.is_probe for s in allowed.values()):
        race.run()
    winner = decide.decide(bench, race, [c for c in probes if c.strategy.name in allowed])
    every = [*probes, *racing, *refused]
    return Choice(
        strategy=winner.strategy,
        learning_rate=winner.learning_rate,
        why=winner.why,
        candidates=tuple(every),
        baseline=probes[0],
        learning_curve=examined.points,
        advice=examined.advice,
        cell=_cell(examined, every),
        mirror_safe=examined.mirror_safe,
        mirror_why=examined.mirror,
        budget_seconds=bench.budget_seconds,
        spent_seconds=bench.journal.spent,
        seconds_per_picture={name: cost.picture for name, cost in race.costs.items()},
        challengers=tuple(decide.challengers(racing)) if winner.strategy.is_probe else (),
        chance=bench.chance,
    )


def _cell(examined: Examined, every: list[Candidate]) -> Cell:
    """The cell of the table of data against similarity that these pictures are in."""
    measured = [c for c in every if c.accuracy is not None]
    best = max(measured, key=lambda c: c.accuracy or 0.0)
    probes = examined.probes
    return table.place(
        pictures_per_class=examined.bench.pictures_per_class,
        chance=examined.bench.chance,
        last_layer=probes[0].accuracy or 0.0,
        all_layers=next((c.accuracy for c in probes if c.strategy.layers == "all"), None),
        best=best.accuracy or 0.0,
        best_name=best.label,
        best_surely=(best.interval or (0.0, 1.0))[0],
        compared=len({c.strategy.name for c in measured}),
        more_data=examined.advice,
    )


def _measure_probes(bench: Bench, allowed: Mapping[str, Strategy]) -> list[Candidate]:
    """The baseline first, then the probe that reads all layers.

    The second is left out only where neither it nor a net that starts as a probe may win.
    """
    probes = [STRATEGIES["linear-probe"]]
    if any(s.start == "probe" and s.name != probes[0].name for s in allowed.values()):
        probes.append(STRATEGIES["linear-probe-all-layers"])
    measured = []
    for strategy in probes:
        trial = bench.cross_validate(strategy.layers)
        rung = {
            "epochs": 0,
            "folds": round(len(trial.correct) / len(bench.folds[0][1])),
            "pictures": len(bench.folds[0][0]),
            "accuracy": trial.accuracy,
            "loss": trial.loss,
        }
        measured.append(
            Candidate(
                strategy,
                0.0,
                status="finished",
                why=""
                if strategy.name in allowed
                else f"measured for comparison; {decide.ANOTHER}",
                accuracy=trial.accuracy,
                pictures=len(trial.correct),
                seconds=trial.seconds,
                rungs=[rung],
            )
        )
    return measured
