"""A run that is stopped and resumed ends in the same bits as one that never was."""

import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from darter.errors import OptionError
from darter.train import Interrupted
from tests.train.run_tiny import Killer, main
from tests.train.tiny import QUICK, tiny_model, train

STEPS_PER_EPOCH = 6  # of run_tiny: 88 pictures, batches of 8, two to a step
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.train.run_tiny"])  # starts a run without importing again


def start(out: Path, epochs: int, killer: Killer | None = None) -> BaseProcess:
    process = SERVER.Process(target=run, args=(out, epochs, killer))
    process.start()
    return process


def run(out: Path, epochs: int, killer: Killer | None) -> None:
    try:
        main(out, epochs, killer)
    except Interrupted as stopped:
        (out / "stopped.txt").write_text(str(stopped))
        raise


def position(out: Path) -> int:
    file = out / "checkpoints" / "last.pt"
    return torch.load(file, weights_only=True)["position"]["step"] if file.exists() else -1


def run_with_kills(out: Path, epochs: int, kills: int, seed: int) -> list[int]:
    """Kill at another random moment of each part of the training; returns the last saved steps."""
    moments = random.Random(seed)
    part = epochs * STEPS_PER_EPOCH / (kills + 2)
    steps = []
    for number in range(kills):
        killer = Killer(int(part * (number + moments.uniform(0.5, 1))), moments.uniform(0, 0.01))
        process = start(out, epochs, killer)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        steps.append(position(out))
    process = start(out, epochs)
    process.join()
    assert process.exitcode == 0
    return steps


def assert_same_end(killed: Path, whole: Path, epochs: int) -> None:
    weights, expected = (torch.load(run / "weights.pt") for run in (killed, whole))
    for name, value in expected.items():
        assert torch.equal(weights[name], value), name
    records, expected = (
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (killed, whole)
    )
    timings = {"seconds", "waited_seconds", "pictures_per_second"}
    for record in (*records, *expected):
        for name in timings:
            record.pop(name)
    assert records == expected
    assert len(records) == epochs + 1
    assert scalars(killed) == scalars(whole)


def scalars(run: Path) -> Counter:
    found = Counter()
    for file in (run / "tensorboard").iterdir():
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if not value.tag.startswith("speed/"):
                    found[value.tag, event.step, value.tensor.float_val[0]] += 1
    return found


@pytest.mark.parametrize(
    ("kills", "epochs"), [(3, 12), pytest.param(20, 120, marks=pytest.mark.slow)]
)
def test_killed_runs_end_in_the_same_bits(tmp_path, kills, epochs):
    main(tmp_path / "whole", epochs)
    steps = run_with_kills(tmp_path / "killed", epochs, kills, seed=kills)
    assert steps == sorted(set(steps)), f"the kills fell on the same steps: {steps}"
    assert_same_end(tmp_path / "killed", tmp_path / "whole", epochs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path, number):
    epochs = 4
    main(tmp_path / "whole", epochs)
    process = start(tmp_path / "killed", epochs)
    while position(tmp_path / "killed") < 3:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode != 0
    stopped = (tmp_path / "killed" / "stopped.txt").read_text()
    assert "everything is saved. Go on with: darter train --resume" in stopped
    main(tmp_path / "killed", epochs)
    assert_same_end(tmp_path / "killed", tmp_path / "whole", epochs)


def test_resume_of_a_finished_run_trains_no_more(tmp_path):
    main(tmp_path, 2)
    before = (tmp_path / "weights.pt").read_bytes()
    metrics = (tmp_path / "metrics.jsonl").read_bytes()
    main(tmp_path, 2)
    assert (tmp_path / "weights.pt").read_bytes() == before
    assert (tmp_path / "metrics.jsonl").read_bytes() == metrics


def test_resume_with_another_recipe_or_other_pictures_is_refused(tmp_path, problem):
    train(tiny_model(), problem, out=tmp_path)
    with pytest.raises(OptionError, match=r"cannot resume: recipe.epochs was 3 and is now 4"):
        train(tiny_model(), problem, QUICK.replace(epochs=4), out=tmp_path, resume=True)
    with pytest.raises(OptionError, match=r"cannot resume: pictures"):
        fewer = problem.train.subset(range(30))
        train(tiny_model(), problem, out=tmp_path, resume=True, train=fewer)


def test_without_resume_a_run_begins_anew(tmp_path, problem):
    first = train(tiny_model(), problem, out=tmp_path)
    again = train(tiny_model(), problem, out=tmp_path)
    assert len(again.history) == len(first.history)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == len(first.history)


def test_a_limited_run_resumes_its_plan(tmp_path, problem, monkeypatch):
    """The plan comes from the checkpoint, not from a new measurement."""
    recipe = QUICK.replace(precision="auto", epochs=2)
    train(tiny_model(), problem, recipe, out=tmp_path, seconds=100.0)
    monkeypatch.setattr("darter.train.training.measure", None)
    fitted = train(tiny_model(), problem, recipe, out=tmp_path, seconds=100.0, resume=True)
    assert fitted.plan.precision in ("float32", "bfloat16")
