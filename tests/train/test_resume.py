"""A run that is stopped and resumed ends in the same bits as one that never was."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tests.train.run_tiny import main

REPOSITORY = Path(__file__).parents[2]


def start(out: Path, epochs: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.train.run_tiny", str(out), str(epochs)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)


def position(out: Path) -> int:
    file = out / "checkpoints" / "last.pt"
    return torch.load(file, weights_only=True)["position"]["step"] if file.exists() else -1


def run_with_kills(out: Path, epochs: int, kills: int, seed: int) -> list[int]:
    """Kill each time after another random number of milliseconds of training; returns steps."""
    moments = random.Random(seed)
    steps = []
    while len(steps) < kills:
        process = start(out, epochs)
        before = position(out)
        while process.poll() is None and position(out) == before:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.25))
        assert process.poll() is None, f"ended before it was killed: {process.stderr.read()}"
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(position(out))
    process = start(out, epochs)
    assert process.wait() == 0, process.stderr.read()
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
    ("kills", "epochs"), [(3, 12), pytest.param(20, 250, marks=pytest.mark.slow)]
)
def test_killed_runs_end_in_the_same_bits(tmp_path, kills, epochs):
    main(tmp_path / "whole", epochs)
    steps = run_with_kills(tmp_path / "killed", epochs, kills, seed=kills)
    assert len(set(steps)) == kills, f"the kills fell on the same steps: {steps}"
    assert_same_end(tmp_path / "killed", tmp_path / "whole", epochs)
