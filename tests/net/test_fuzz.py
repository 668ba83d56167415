"""Damaged model files end in a sentence: see bench/fuzz_models.py, which tries many more."""

import pytest

from bench.fuzz_models import fuzz
from tests.fuzz.damage import damaged
from tests.fuzz.nets import nets


def test_the_nets_run_before_they_are_damaged(tmp_path):
    from tests.fuzz.worker import outcome

    assert [outcome(content, tmp_path) for content in nets()] == ["ran"] * len(nets())


def test_a_number_always_makes_the_same_file():
    assert [damaged(n) for n in range(20)] == [damaged(n) for n in range(20)]
    assert len({damaged(n) for n in range(20)}) > 15


def test_damaged_files_end_in_a_sentence():
    tally = fuzz(0, 250)
    assert tally.findings == []
    assert tally.outcomes["ran"] > 25
    assert sum(tally.outcomes.values()) == 250


@pytest.mark.slow
@pytest.mark.parametrize("first", [10_000, 30_000])
def test_many_damaged_files_end_in_a_sentence(first):
    assert fuzz(first, 4000).findings == []


def test_the_runner_notices_a_crash_and_a_hang(monkeypatch):
    import sys

    broken = "import os, sys; print(0, 'ran', flush=True); os.kill(os.getpid(), 11)"
    monkeypatch.setattr("bench.fuzz_models.WORKER", [sys.executable, "-c", broken])
    assert [number for number, _ in fuzz(0, 2).findings] == [1]
    hanging = "import time; print(0, 'ran', flush=True); time.sleep(60)"
    monkeypatch.setattr("bench.fuzz_models.WORKER", [sys.executable, "-c", hanging])
    assert fuzz(0, 2, seconds=0.5).findings == [(1, "no answer after 0.5 s")]
