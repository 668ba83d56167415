"""Choose what to retrain by measuring it on the user's own training pictures.

    choice = choose(found, labels, groups, STRATEGIES, trial, classes=2, budget_seconds=120)
    choice.strategy.name, choice.learning_rate, choice.why

The order of events: is a mirror image safe; the probes, cross-validated; the learning curve; the
strategies that train, raced at a few learning rates each; the cheapest within one standard error
of the best, on the same held-out pictures; the cell of the table.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darter.errors import OptionError, ShapeError
from darter.transfer import curve, decide, table
from darter.transfer.bench import Bench
from darter.transfer.features import Features
from darter.transfer.journal import Journal, Record
from darter.transfer.race import Progress, Race
from darter.transfer.records import Candidate, Choice, TrialFunction
from darter.transfer.strategies import STRATEGIES, Strategy


def choose(
    features: Features,
    labels: ArrayLike,
    groups: ArrayLike,
    strategies: Iterable[Strategy],
    trial: TrialFunction,
    *,
    classes: int,
    budget_seconds: float,
    seed: int = 0,
    picture_side: int | None = None,
    layers: str = "auto",
    progress: Progress = lambda message, share: None,
    on_mirror: Callable[[bool], None] = lambda safe: None,
    past: dict[str, Any] | None = None,
    record: Record | None = None,
) -> Choice:
    """Race the strategies on the training pictures; test pictures play no part.

    features: of the training pictures. labels, groups: integers (N,); one group stays together.
    strategies: those that may win; the linear probe is measured in any case, as the baseline.
    trial: trains and judges one candidate: trial(strategy, learning_rate, train positions,
    held-out positions, epochs, seed) -> Trial.
    budget_seconds: exceeded by one trial at most. picture_side: usual short side in pixels.
    layers: what retrained nets' heads read, "last" or "all"; "auto" asks the probes.
    progress: called with (what happens now, share of the budget spent).
    on_mirror: told before any trial whether pictures may be flipped.
    past, record: to resume; `record` is called with everything measured so far, `past` takes it.
    """
    labels, groups = np.asarray(labels, np.int64), np.asarray(groups, np.int64)
    if not len(features) == len(labels) == len(groups):
        raise ShapeError(
            f"choose: {len(features)} rows of features, {len(labels)} labels, {len(groups)} groups"
        )
    allowed = {s.name: s for s in strategies}
    if not allowed:
        raise OptionError("choose: no strategy may win; give at least one")
    if budget_seconds < 0:
        raise OptionError(f"choose: budget_seconds is {budget_seconds}; expected 0 or more")
    journal = Journal(past, record)
    bench = Bench(features, labels, groups, classes, seed, journal, budget_seconds)

    progress("checking mirror images", 0.0)
    mirror_safe, mirror = bench.check_mirror()
    on_mirror(mirror_safe)
    progress("linear probes", 0.0)
    probes = _measure_probes(bench, allowed)
    progress("learning curve", min(1.0, journal.spent / max(budget_seconds, 1e-9)))
    better = max(probes, key=lambda c: c.accuracy or 0.0)
    points = curve.learning_curve(bench, better.strategy.layers)
    advice = curve.advice(points)

    known = STRATEGIES | allowed
    if layers == "auto" and decide.inner_layers_help(bench, probes):
        known = {name: decide.on_all_layers(s) for name, s in known.items()}
    racing, refused = decide.candidates(bench, known.values(), allowed, better, picture_side)
    reserve = sum(c.seconds / max(1, c.rungs[0]["folds"]) for c in probes)
    race = Race(bench, racing, trial, progress, reserve)
    if len(racing) > 1 or any(s.is_probe for s in allowed.values()):
        race.run()
    winner = decide.decide(bench, race, [c for c in probes if c.strategy.name in allowed])
    every = [*probes, *racing, *refused]

    best = max((c for c in every if c.accuracy is not None), key=lambda c: c.accuracy or 0.0)
    all_layers = next((c.accuracy for c in probes if c.strategy.layers == "all"), None)
    cell = table.place(
        pictures_per_class=bench.pictures_per_class,
        classes=classes,
        last_layer=probes[0].accuracy or 0.0,
        all_layers=all_layers,
        best=best.accuracy or 0.0,
        best_name=best.label,
        more_data=advice,
    )
    return Choice(
        strategy=winner.strategy,
        learning_rate=winner.learning_rate,
        why=winner.why,
        candidates=tuple(every),
        baseline=probes[0],
        learning_curve=points,
        advice=advice,
        cell=cell,
        mirror_safe=mirror_safe,
        mirror_why=mirror,
        budget_seconds=budget_seconds,
        spent_seconds=journal.spent,
        seconds_per_picture=dict(race.costs),
        challengers=tuple(decide.challengers(racing)) if winner.strategy.is_probe else (),
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
