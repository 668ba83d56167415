"""A run that is asked to end outside of the training loop, which has handlers of its own."""

import signal
import subprocess
import sys

import pytest

from darter.files import read_json
from tests.job.test_job import write_stripes

CODE = """
import os, signal, sys, time
from darter.cli import main
from darter.job import stages, judging

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored

def stop(*_):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(60)

if sys.argv[2] == "look":
    stages.look = stop
else:
    stages.material_of = stages.describe = stages.decide = lambda *_: None
    job = sys.modules["darter.job.job"]
    job.train = job.challenge = job.train_members = lambda *_: None
    judging.prove = stop
main(["train", sys.argv[3], "--out", sys.argv[4]])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("stage", ["look", "prove"])
def test_a_signal_between_stages_saves_and_says_how_to_go_on(tmp_path, number, stage):
    photos, out = write_stripes(tmp_path / "photos", 4), tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(int(number)), stage, photos, out],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert f"darter: stopped; go on with: darter train --resume {out}" in done.stderr
    assert read_json(out / "run.json")["state"] == "interrupted"
