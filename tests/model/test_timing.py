"""Runs that are timed in turns."""

from types import SimpleNamespace

import pytest

from darter.model import timing


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the runs move."""
    now = SimpleNamespace(at=0.0)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now.at))
    return now


def runs_of(clock, order, **seconds):
    def run(name):
        def once():
            order.append(name)
            clock.at += seconds[name] * (3 if clock.at > 5 else 1)  # a busy stretch from 5 s on

        return once

    return {name: run(name) for name in seconds}


def test_runs_alternate_and_a_busy_stretch_slows_both_alike(clock):
    order = []
    times = timing.in_turns(runs_of(clock, order, a=0.1, b=0.2), seconds=5)
    assert order == ["a", "b"] * (len(order) // 2)
    slow = {name: sum(ms > 250 if name == "a" else ms > 500 for ms in taken)
            for name, taken in times.items()}  # fmt: skip
    assert slow["a"] > 3 and abs(slow["a"] - slow["b"]) <= 1
    assert times["a"][0] == pytest.approx(100) and times["b"][0] == pytest.approx(200)


def test_there_are_enough_runs_where_one_takes_long(clock):
    times = timing.in_turns(runs_of(clock, [], a=60.0), seconds=1, fewest=4)
    assert len(times["a"]) == 4


def test_what_warms_the_caches_is_not_timed(clock):
    order = []
    times = timing.in_turns(runs_of(clock, order, a=0.1, b=0.1), seconds=0.5, warm=True)
    assert order[2:6] == ["a", "a", "b", "b"]
    assert len(order) == 2 + 2 * (len(times["a"]) + len(times["b"]))
