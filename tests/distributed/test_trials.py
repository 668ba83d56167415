"""The race's trainings on workers give what they give here."""

import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from darter.cluster import Asked, Workers
from darter.distributed import on_workers
from darter.distributed import trials as shared
from darter.machine import available_cpus
from darter.train import Trials
from darter.transfer import Features, TrialCall
from tests.train.tiny import ALL, QUICK, tiny_backbone, tiny_pictures, tiny_problem

TRAIN, HELD_OUT = np.arange(48), np.arange(48, 60)


def call(rate, epochs=1):
    return TrialCall(ALL, rate, TRAIN, HELD_OUT, epochs, seed=0)


def net(_strategy, _seed):
    return tiny_backbone()


def look(problem, _strategy):
    return problem.augment, problem.preprocess


@pytest.fixture
def alone():
    return trials_of(net)


def trials_of(net):
    rows = np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32)
    return Trials(
        net, partial(look, tiny_problem()), Features(rows, {}), tiny_pictures(60), 3,
        QUICK.replace(threads="auto"),
    )  # fmt: skip


class Here:
    """A pool whose work is done when it is asked for, in this process."""

    threads = 1

    def __init__(self, make, workers, *, imports, in_hand):
        assert (make, imports, in_hand) == (None, ("darter.train",), 1)
        self.counts = Counter()

    def give(self, make):
        self.work = make(self.threads)
        self.counts["told"] += 1

    def submit(self, call):
        self.counts["submitted"] += 1
        return Asked(call)

    def result(self, asked):
        self.counts["done"] += 1
        return self.work(asked.chunk)

    def forget(self, asked):
        self.counts["forgotten"] += 1

    def close(self):
        self.counts["closed"] += 1


def test_what_was_announced_runs_on_workers_and_the_rest_here(alone, monkeypatch):
    monkeypatch.setattr(shared, "Pool", Here)
    calls = [call(rate, epochs=2) for rate in (0.01, 0.001, 0.0001)]
    with on_workers(Workers(2)) as share:
        trial, ahead = share(alone)
        expected = [trial(each).loss for each in calls]
        ahead(calls[:2])
        found = [trial(calls[0]).loss]
        ahead(calls[1:])  # of which one is under way already
        found.append(trial(calls[1]).loss)
        ahead([])
        found.append(trial(calls[2]).loss)
        counts = trial._pool.counts
    assert found == expected
    assert counts == {"told": 1, "submitted": 3, "done": 2, "forgotten": 1, "closed": 1}


@pytest.mark.parametrize("threads", [1, 3, None])
def test_a_training_has_as_many_threads_here_as_there(threads, monkeypatch):
    """Sums of floats depend on the number of threads, and so does the time that is measured."""
    seen = []

    def watched(strategy, seed):
        seen.append(torch.get_num_threads())
        return net(strategy, seed)

    monkeypatch.setattr(shared, "Pool", Here)
    monkeypatch.setattr(Here, "threads", threads)
    with on_workers(Workers(2)) as share:
        trial, ahead = share(trials_of(watched))
        trial(call(0.01))
        ahead([call(0.01)])
        trial(call(0.01))
    assert set(seen) == {threads or available_cpus()}


def test_workers_may_start_before_there_is_work(monkeypatch):
    started = []
    monkeypatch.setattr(shared, "Pool", lambda *given, **how: started.append(given) or Idle())
    with on_workers(Workers(2), at_once=True):
        assert started == [(None, Workers(2))]
    with on_workers(Workers(2)):
        assert len(started) == 1


class Idle:
    def close(self): ...


def test_one_process_announces_to_nobody(alone):
    with on_workers(None) as share:
        trial, ahead = share(alone)
        ahead([call(0.01)])
        assert trial is alone


@pytest.mark.slow
def test_a_training_whose_worker_is_killed_is_done_again(alone):
    pytest.importorskip("ray")
    calls = [call(rate, epochs=40) for rate in (0.01, 0.003, 0.001)]
    with on_workers(Workers(2)) as share:
        trial, ahead = share(alone)
        expected = [trial(each).loss for each in calls]
        ahead(calls)
        first = trial(calls[0]).loss
        os.kill(processes_named("ray::Hand")[0], signal.SIGKILL)
        found = [first, *(trial(each).loss for each in calls[1:])]
    assert found == expected


def processes_named(start: str) -> list[int]:
    """Below this process."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            name = (place / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if name.startswith(start) and os.getpid() in ancestors(int(place.name)):
            found.append(int(place.name))
    return sorted(found)


def ancestors(pid: int) -> list[int]:
    line = []
    while pid > 1:
        line.append(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
    return line
