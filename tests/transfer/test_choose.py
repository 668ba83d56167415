import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.errors import OptionError, ShapeError
from darter.transfer import STRATEGIES, Features, Trial, choose, examine
from darter.transfer.journal import Journal
from darter.transfer.records import cheapest_within_one_standard_error, paired

CLASSES = 3
RACED = {name: strategy for name, strategy in STRATEGIES.items() if strategy.raced}
GOOD = {"fine-tune-last": 0.9, "fine-tune-first": 0.8, "fine-tune-all": 0.97, "scratch": 0.5}


def table(n=150, separation=0.5, seed=0, mirror=0.05):
    """Features of blobs; mirror: how far mirror images lie from their pictures."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    centers = rng.normal(size=(CLASSES, 6))
    last = (separation * centers[labels] + rng.normal(size=(n, 6))).astype(np.float32)
    inner = rng.normal(size=(n, 4)).astype(np.float32)
    flipped = (last + mirror * rng.normal(size=last.shape)).astype(np.float32)
    return Features(last, {"stem": inner}, Features(flipped, {"stem": inner})), labels


class Stub:
    """Trials that take no time but say that they did; accuracy by strategy and rate."""

    def __init__(self, per_picture=1e-3, good=GOOD, seed=0):
        self.per_picture, self.good, self.seed, self.calls = per_picture, good, seed, []

    def __call__(self, call):
        assert not set(call.train) & set(call.held_out)
        strategy, rate, epochs = call.strategy, call.learning_rate, call.epochs
        train, held = len(call.train), len(call.held_out)
        work = train * epochs + 0.25 * held
        seconds = self.per_picture * (1 + strategy.cost) * work
        self.calls.append((strategy.name, rate, train, held, epochs, seconds))
        off = abs(np.log(rate / strategy.default_learning_rate))
        chance = max(0.0, self.good[strategy.name] - 0.1 * off)
        rng = np.random.default_rng([self.seed, train, epochs, strategy.cost, int(rate * 1e6)])
        return Trial(rng.random(held) < chance, seconds, 1 - chance)


def examined(found, labels, strategies=None, *, groups=None, classes=CLASSES, budget=5):
    strategies = RACED.values() if strategies is None else strategies
    groups = np.arange(len(labels)) if groups is None else groups
    return examine(found, labels, groups, strategies, classes=classes, budget_seconds=budget)


def run(stub, budget=200.0, strategies=None, n=150, **options):
    found, labels = table(n)
    strategies = RACED.values() if strategies is None else strategies
    examined = examine(
        found, labels, np.arange(n), strategies, classes=CLASSES, budget_seconds=budget, **options
    )
    return choose(examined, stub, picture_side=32)


def test_clearly_best_strategy_wins_with_the_evidence():
    choice = run(Stub())
    assert choice.strategy.name == "fine-tune-all"
    assert choice.learning_rate == STRATEGIES["fine-tune-all"].default_learning_rate
    assert "training pictures that were held out" in choice.why
    record = json.loads(json.dumps(choice.to_json()))
    assert record["winner"]["strategy"] == "fine-tune-all"
    assert [c["status"] for c in record["candidates"]].count("winner") == 1
    assert all(c["why"] for c in record["candidates"])
    assert {"amount", "similarity", "reasons", "advice"} <= set(record["cell"])
    assert record["mirror"]["safe"] is True
    names = {c["strategy"] for c in record["candidates"]}
    assert names == set(RACED)


def test_a_retraining_that_gains_nothing_loses_to_the_cheap_probe():
    choice = run(Stub(good=dict.fromkeys(GOOD, 0.6)))
    assert choice.strategy.name == "linear-probe"
    assert choice.baseline.accuracy == pytest.approx(
        next(c.accuracy for c in choice.candidates if c.strategy.name == "linear-probe")
    )


@settings(max_examples=15, deadline=None)
@given(
    budget=st.sampled_from([0.0, 0.5, 2.0, 8.0, 20.0, 60.0, 300.0]),
    per_picture=st.sampled_from([1e-5, 1e-3, 3e-2]),
    seed=st.integers(0, 5),
)
def test_budget_records_and_rule(budget, per_picture, seed):
    stub = Stub(per_picture, seed=seed)
    entries = {}
    choice = run(stub, budget, record=lambda journal: entries.update(journal["entries"]))
    fine_tuning = sum(call[-1] for call in stub.calls)
    longest = max((call[-1] for call in stub.calls), default=0.0)
    assert fine_tuning <= budget + longest
    probing = sum(
        e["seconds"] for key, e in entries.items() if not key.startswith(("trial", "step"))
    )
    assert choice.spent_seconds == pytest.approx(fine_tuning + probing)
    for candidate in choice.candidates:
        assert candidate.status in {"winner", "finished", "eliminated", "not tried"}
        assert candidate.why
        assert (candidate.status == "not tried") == (candidate.accuracy is None)
    assert [c.status for c in choice.candidates].count("winner") == 1


RECORDED = {
    "fine-tune-last": (0.038, 0.18),
    "fine-tune-first": (0.055, 0.33),
    "fine-tune-all": (0.077, 0.05),
}


@pytest.fixture
def clock(monkeypatch):
    """Decisions follow from measured seconds: here every probe takes the same time."""
    clock = SimpleNamespace(monotonic=itertools.count(0, 0.01).__next__)
    monkeypatch.setattr("darter.transfer.journal.time", clock)


class Recorded(Stub):
    """Photos at 224 pixels on one core: seconds of a picture, and of a training beside them."""

    def __call__(self, call):
        trial = super().__call__(call)
        pace, once = RECORDED[call.strategy.name]
        seconds = once + pace * (len(call.train) * call.epochs + 0.25 * len(call.held_out))
        self.calls[-1] = (*self.calls[-1][:-1], seconds)
        return Trial(trial.correct, seconds, trial.loss, pace)


@pytest.mark.parametrize(("budget", "judged"), [(42, 1), (71, 2), (95, 3), (140, 3), (300, 3)])
def test_as_many_strategies_are_judged_as_the_budget_has_room_for(budget, judged, clock):
    choice = run(Recorded(), budget, [s for s in RACED.values() if s.start != "random"], n=279)
    tried = {c.strategy.name for c in choice.candidates if c.rungs and not c.strategy.is_probe}
    assert len(tried) == judged
    assert choice.spent_seconds <= budget


def test_a_strategy_is_not_given_up_for_a_further_round(clock):
    stub, budget = Recorded(), 95.0
    choice = run(stub, budget, [s for s in RACED.values() if s.start != "random"], n=279)
    tried = [c for c in choice.candidates if c.rungs and not c.strategy.is_probe]
    assert {c.strategy.name for c in tried} == set(RECORDED)
    assert choice.spent_seconds <= budget
    left_out = [c for c in choice.candidates if not c.rungs and c.strategy.name in RECORDED]
    assert len(left_out) == 6
    assert all("95 s set aside for comparing are too few" in c.why for c in left_out)
    assert all("only the middle learning rate was kept" in c.why for c in left_out)


@given(st.data())
def test_winner_is_the_cheapest_within_one_standard_error(data):
    n = data.draw(st.integers(2, 40))
    hits = st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)
    strategies = data.draw(
        st.lists(st.sampled_from(list(RACED.values())), min_size=1, max_size=6, unique=True)
    )
    from darter.transfer import Candidate

    contenders = [(Candidate(s, s.default_learning_rate), data.draw(hits)) for s in strategies]
    winner, best, difference, error = cheapest_within_one_standard_error(contenders)
    by_id = {id(c): h for c, h in contenders}
    top = max(h.mean() for _, h in contenders)
    assert by_id[id(best)].mean() == top
    assert winner is best or difference <= error
    for candidate, right in contenders:
        if candidate.strategy.cost < winner.strategy.cost:
            lag, its_error = paired(by_id[id(best)], right)
            assert lag > its_error


def test_resumed_race_measures_nothing_twice_and_decides_the_same(clock):
    journals = []
    stub = Stub()
    whole = run(stub, record=lambda journal: journals.append(json.loads(json.dumps(journal))))
    for cut in (0, len(journals) // 3, len(journals) - 1):
        past = {"entries": dict(list(journals[-1]["entries"].items())[: cut + 1])}
        again = Stub()
        resumed = run(again, past=past)
        known = sum(key.startswith(("trial", "step")) for key in past["entries"])
        assert len(again.calls) == len(stub.calls) - known
        assert resumed.strategy == whole.strategy
        assert resumed.learning_rate == whole.learning_rate


def test_a_resumed_race_knows_what_its_trainings_computed_in(clock):
    class Halves(Stub):
        def __call__(self, call):
            return replace(super().__call__(call), precision="bfloat16")

    journals = []
    run(Halves(), record=lambda journal: journals.append(json.loads(json.dumps(journal))))
    assert Journal({"entries": {}}).precision is None
    assert Journal(journals[-1]).precision == "bfloat16"


def test_penalties_of_measured_probes_are_weaker_the_more_pictures_there_are():
    found, labels = table()
    bench = examined(found, labels).bench
    penalties = bench.penalties()
    assert set(penalties) == {"last", "all"}
    for layers, penalty in penalties.items():
        assert penalty / 30 == pytest.approx(bench.strength(layers, 30))
        assert penalty / 30 == pytest.approx(2 * bench.strength(layers, 60))


def test_one_named_strategy_still_races_its_rates():
    stub = Stub()
    only = STRATEGIES["fine-tune-last"]
    choice = run(stub, strategies=[only])
    assert choice.strategy.name == only.name
    assert {call[1] for call in stub.calls} == set(only.learning_rates)
    others = [c for c in choice.candidates if c.strategy.name not in (only.name, "linear-probe")]
    assert all("another strategy was asked for" in c.why for c in others)
    assert choice.baseline.accuracy is not None


def test_named_strategy_without_time_gets_its_usual_rate():
    only = STRATEGIES["fine-tune-all"]
    choice = run(Stub(), budget=0.0, strategies=[only])
    assert (choice.strategy, choice.learning_rate) == (only, only.default_learning_rate)
    assert "too small" in choice.why


def test_scratch_is_refused_for_few_pictures_and_says_why():
    stub = Stub()
    choice = run(stub, n=60)
    scratch = next(c for c in choice.candidates if c.strategy.name == "scratch")
    assert scratch.status == "not tried" and scratch.why.startswith("20 pictures per class")
    assert not any(call[0] == "scratch" for call in stub.calls)


def test_no_race_where_the_probe_makes_no_mistake():
    found, labels = table(separation=20.0)
    stub = Stub()
    choice = choose(examined(found, labels, budget=60), stub)
    assert choice.strategy.name == "linear-probe" and not stub.calls
    refused = [c for c in choice.candidates if not c.strategy.is_probe]
    assert all("nothing could be shown to be better" in c.why for c in refused)


def test_a_diverged_training_is_ranked_last():
    def diverges(call):
        held = len(call.held_out)
        work = 1e-3 * (len(call.train) * call.epochs + held)
        if call.learning_rate == max(call.strategy.learning_rates):
            return Trial(np.zeros(held, bool), work, float("nan"))
        return Trial(np.ones(held, bool), work, 0.1)

    choice = run(diverges)
    assert choice.learning_rate < max(choice.strategy.learning_rates)


def test_mirror_images_with_another_meaning_are_found():
    found, labels = table(separation=5.0)
    turned = Features(np.roll(found.last, 1, axis=0), found.inner)  # the neighbor's class
    found = Features(found.last, found.inner, turned)
    seen = examined(found, labels, [STRATEGIES["linear-probe"]])
    assert not seen.mirror_safe and "flips are harmful" in seen.mirror
    assert choose(seen, Stub()).mirror_why == seen.mirror


def test_mirror_images_that_mislead_inner_layers_are_not_learned_from():
    found, labels = table(separation=1.0)
    inner = np.eye(CLASSES, dtype=np.float32)[labels] + 0.3 * found.inner["stem"][:, :CLASSES]
    turned = Features(found.last, {"stem": np.roll(inner, 1, axis=0)})
    found = Features(found.last, {"stem": inner}, turned)
    seen = examined(found, labels, [STRATEGIES["linear-probe"]], budget=600)
    assert not seen.mirror_safe and "keeps its label" in seen.mirror
    assert "points by learning from mirrors too" in seen.mirror


def test_groups_stay_together():
    found, labels = table(60)
    groups = np.arange(60) // 6

    def trial(call):
        assert not set(groups[call.train]) & set(groups[call.held_out])
        return Trial(np.ones(len(call.held_out), bool), 0.01, 0.0)

    only = [replace(STRATEGIES["fine-tune-all"], epochs=2)]
    choose(examined(found, labels, only, groups=groups, budget=20), trial)


@pytest.mark.parametrize("counts", [(2, 2), (1, 5), (3, 40)])
def test_very_few_pictures(counts):
    labels = np.repeat([0, 1], counts)
    rows = np.random.default_rng(0).normal(size=(len(labels), 5)).astype(np.float32)
    found = Features(rows, {"stem": rows[:, :2]})
    choice = choose(examined(found, labels, classes=2), Stub())
    assert choice.strategy.name in RACED
    assert choice.cell.amount == "little"
    json.dumps(choice.to_json())


def test_chance_is_the_share_of_the_commonest_class():
    labels = np.repeat([0, 1], (10, 30))
    rows = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    choice = choose(examined(Features(rows, {"stem": rows[:, :2]}), labels, classes=2), Stub())
    assert choice.to_json()["chance"] == 0.75


def test_wrong_arguments():
    found, labels = table(30)
    with pytest.raises(ShapeError, match=r"30 rows of features, 29 targets"):
        examined(found, labels[:29], [], groups=np.arange(30))
    with pytest.raises(OptionError, match="at least one"):
        examined(found, labels, [])
