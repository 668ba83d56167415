"""How much a rung of the race may cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.transfer import STRATEGIES, Candidate
from darter.transfer.plan import EVALUATION, Cost, plan_rung, seconds_of, usual

NAMES = ("fine-tune-last", "fine-tune-all", "scratch")


@given(st.floats(1e-3, 1e9), st.floats(1, 1e4))
def test_usual_numbers_are_the_next_below_on_a_coarse_scale(pictures, least):
    found = usual(pictures, least)
    if pictures < least:
        assert found == 0
        return
    assert found <= pictures * (1 + 1e-6) < 1.26 * found
    assert usual(found, least) == pytest.approx(found)
    assert usual(least, least) == least, "what is just enough is not rounded away"


def rung_of(names, costs, seconds, *, last=False, train=800, held=200, classes=2):
    candidates = [Candidate(STRATEGIES[name], 0.001) for name in names]
    return plan_rung(
        candidates, costs, seconds, train=train, held=held, folds=5, classes=classes, last=last
    )


def test_times_that_differ_a_little_give_the_same_rung():
    def rung(slower):
        costs = zip(NAMES, (0.006, 0.02, 0.021), strict=True)
        return rung_of(NAMES, {name: Cost(slower * cost) for name, cost in costs}, 65.0)

    assert rung(1.0) == rung(1.04)
    assert rung(1.0) != rung(1.6)


@given(st.floats(0, 30), st.floats(1e-5, 1), st.integers(8, 200), st.integers(1, 40))
def test_what_happens_once_is_not_counted_for_every_picture(once, pace, work, times):
    timed = Cost.of(once + pace * work, work, pace)
    assert timed.seconds(work) == pytest.approx(once + pace * work)
    assert timed.seconds(times * work) == pytest.approx(once + pace * times * work)
    assert timed.room(timed.seconds(work)) == pytest.approx(work)
    plain = Cost.of(once + pace * work, work, None)  # of a single step: nothing tells them apart
    assert plain.seconds(times * work) >= timed.seconds(times * work) * (1 - 1e-9)


def test_a_timing_never_expects_less_than_it_took():
    slow_end = Cost.of(2.0, 50, pace=0.09)  # its last steps were slower than its first
    assert slow_end.seconds(50) == pytest.approx(2.0) and slow_end.once == 0


@given(
    st.floats(1, 600), st.floats(0, 5), st.floats(1e-4, 0.2), st.floats(1, 8), st.booleans(),
    st.integers(60, 3000), st.integers(2, 60),
)  # fmt: skip
def test_a_rung_keeps_to_its_seconds(seconds, once, pace, dearer, last, pictures, classes):
    train, held = pictures - pictures // 5, pictures // 5
    costs = {name: Cost(pace * dearer**k, once) for k, name in enumerate(NAMES)}
    rung = rung_of(NAMES, costs, seconds, last=last, train=train, held=held, classes=classes)
    if rung is None:
        needed = 320 + EVALUATION * held
        assert costs["scratch"].room(seconds / 3) < max(needed, 4 * classes + held) or held < 16
        return
    spent = sum(rung.folds * seconds_of(rung, STRATEGIES[n], costs[n]) for n in NAMES)
    assert spent <= seconds * (1 + 1e-6)
