"""A run that took longer than it was given says why, and what helps."""

import time

from darter.job.lateness import Effort, lateness

STAGES = {"scan": 3.0, "fit": 500.0, "export": 20.0}


def test_a_run_in_time_says_nothing():
    assert lateness(600, 610, STAGES, cores=2.0) is None


def test_the_longest_stage_is_named():
    said = lateness(600, 784, STAGES, cores=1.6)
    assert said is not None
    assert said.startswith("took 784 s instead of 600 s; the longest stage was fit with 500 s.")
    assert "Give more time" in said


def test_a_busy_computer_is_not_mended_by_a_smaller_size():
    said = lateness(600, 784, STAGES, cores=0.09)
    assert said is not None
    assert "could compute in 9% of the time" in said and "other programs" in said
    assert "smaller size" not in said


def test_where_others_computed_its_own_share_says_nothing():
    said = lateness(600, 784, STAGES, cores=None)
    assert said is not None and "longest stage" in said


def test_effort_counts_from_its_start(monkeypatch):
    effort = Effort(begun=100.0, computed=7.0)
    monkeypatch.setattr(time, "monotonic", lambda: 150.0)
    monkeypatch.setattr(time, "process_time", lambda: 82.0)
    cores = effort.cores()
    monkeypatch.undo()
    assert cores == 1.5
