"""Who takes part in the race, and who wins it: rules, each with its reason in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.transfer.bench import Bench
from darter.transfer.race import Race
from darter.transfer.records import Candidate, cheapest_within_one_standard_error, paired
from darter.transfer.strategies import Strategy

SMALL_SIDE = 64  # pixels: below, pictures are simple enough to learn from few of them
SCRATCH_NEEDS_SMALL, SCRATCH_NEEDS_LARGE = 50, 300  # pictures per class
ANOTHER = "another strategy was asked for"


def inner_layers_help(bench: Bench, probes: Sequence[Candidate]) -> bool:
    """True where the probe on all layers is clearly better than the one on the last."""
    hits = {p.strategy.layers: bench.cross_validate(p.strategy.layers).correct for p in probes}
    if "all" not in hits:
        return False
    gain, error = paired(hits["all"], hits["last"])
    return gain > error


def on_all_layers(strategy: Strategy) -> Strategy:
    """The same with a head that reads all layers, if it starts as a probe and trains on."""
    if strategy.is_probe or strategy.start != "probe":
        return strategy
    return replace(strategy, layers="all")


def candidates(
    bench: Bench,
    known: Iterable[Strategy],
    allowed: Mapping[str, Strategy],
    probe: Candidate,
    picture_side: int | None,
) -> tuple[list[Candidate], list[Candidate]]:
    """Those that race, at each of their rates; those that are hopeless, with the reason."""
    racing, refused = [], []
    for strategy in (s for s in known if not s.is_probe):
        why = ANOTHER if strategy.name not in allowed else ""
        if not why and len(allowed) > 1:
            why = _hopeless(bench, strategy, probe, picture_side)
        if why:
            refused.append(Candidate(strategy, strategy.default_learning_rate, why=why))
        else:
            racing += [Candidate(strategy, rate) for rate in strategy.learning_rates]
    return racing, refused


def _hopeless(bench: Bench, strategy: Strategy, probe: Candidate, picture_side: int | None) -> str:
    wrong = round((1 - (probe.accuracy or 0.0)) * probe.pictures)
    if wrong <= 1:
        return (
            f"{probe.label} errs on {wrong} of {probe.pictures} held-out training pictures: "
            "nothing could be shown to be better"
        )
    small = picture_side is not None and picture_side < SMALL_SIDE
    needs = SCRATCH_NEEDS_SMALL if small else SCRATCH_NEEDS_LARGE
    if strategy.start == "random" and bench.pictures_per_class < needs:
        return (
            f"{bench.pictures_per_class:.0f} pictures per class; without pretraining, pictures "
            f"of this size need about {needs}"
        )
    return ""


def decide(bench: Bench, race: Race, probes: Sequence[Candidate]) -> Candidate:
    """Mark the winner and say why: the cheapest within one standard error of the best.

    probes: those that may win; they are judged on the race's last held-out pictures.
    """
    contenders = [*((p, _hits(bench, race, p)) for p in probes), *race.finalists]
    if not contenders:
        return _unmeasured(race)
    winner, best, difference, error = cheapest_within_one_standard_error(contenders)
    accuracy = {id(c): float(hits.mean()) for c, hits in contenders}
    judged = len(contenders[0][1])
    for candidate, _ in contenders:
        lag = accuracy[id(candidate)] - accuracy[id(winner)]
        candidate.status = "finished"
        candidate.why = (
            f"{100 * lag:+.1f} points against {winner.label} on the same {judged} training pictures"
        )
    winner.status = "winner"
    winner.why = f"{accuracy[id(winner)]:.1%} on {judged} training pictures that were held out"
    if winner is not best:
        winner.why += (
            f": cheaper than {best.label} and within one standard error of it "
            f"({100 * difference:.1f} ± {100 * error:.1f} points on the same pictures)"
        )
    elif len(contenders) > 1:
        rival = max((c for c, _ in contenders if c is not winner), key=lambda c: accuracy[id(c)])
        alike = accuracy[id(rival)] == accuracy[id(winner)]
        lead = "the cheapest of equals" if alike else "the best"
        winner.why += f", {lead}; {rival.label} reached {accuracy[id(rival)]:.1%} on the same"
    return winner


def challengers(raced: Sequence[Candidate]) -> list[Candidate]:
    """The best of each kind of start ("probe", "random"): pretrained nets and new ones do not
    compare after a few epochs. Without a measurement it is the dearest at its usual rate."""

    def merit(candidate: Candidate) -> tuple[float, bool, int]:
        usual = candidate.learning_rate == candidate.strategy.default_learning_rate
        return candidate.accuracy or 0.0, usual, candidate.strategy.cost

    starts = dict.fromkeys(c.strategy.start for c in raced)
    return [max((c for c in raced if c.strategy.start == s), key=merit) for s in starts]


def _hits(bench: Bench, race: Race, probe: Candidate) -> NDArray[np.float64]:
    """A probe's hits on the pictures that judged the finalists, learned from the same ones."""
    layers = probe.strategy.layers
    if not race.finalists:
        return bench.cross_validate(layers).correct
    trials = [
        bench.probe(layers, fold, train, held) for fold, (train, held) in enumerate(race.judged)
    ]
    return np.concatenate([t.correct for t in trials])


def _unmeasured(race: Race) -> Candidate:
    """The asked-for strategy at its usual rate, where the budget had no room for a trial."""
    winner = next(c for c in race.entered if c.learning_rate == c.strategy.default_learning_rate)
    winner.status = "winner"
    if len(race.entered) == 1:
        winner.why = "asked for, with this learning rate"
    else:
        winner.why = "asked for; the time budget was too small to race its learning rates"
    return winner
