"""`darter doctor` of several processes: what it prints, and what it measures by Ray."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from darter.cli import main
from darter.distributed import Survey
from darter.distributed.forecast import FORECASTS, Measured, choose

STEP = Measured(step=0.4, pictures=16, size=16 << 20, latency=1e-4, bandwidth=1.25e8)


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for number in range(12):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(file)
    return tmp_path / "photos"


def doctor(capsys, *words) -> str:
    with pytest.raises(SystemExit) as end:
        main(["doctor", *map(str, words)])
    assert not end.value.code, capsys.readouterr().err
    return capsys.readouterr().out


def test_each_process_link_and_scheme_has_a_line(photos, capsys, monkeypatch):
    choice, why = choose(STEP, 2)
    told = Survey(
        steps=(("desk", 0.4), ("lab", 0.4)), disks=(20.0, 15.0), measured=STEP,
        forecasts={name: forecast(STEP, 2) for name, forecast in FORECASTS.items()},
        rounds=8, choice=choice, why=why,
    )  # fmt: skip
    asked = []
    monkeypatch.setattr("darter.distributed.survey", lambda *given: asked.append(given) or told)
    out = doctor(capsys, photos, "--cluster", "head:6379", "--size", 64, "--batch-size", 16)
    work, workers, address, paths = asked[0]
    assert (work.size, work.batch, workers, address, len(paths)) == (64, 16, None, "head:6379", 12)
    lines = out.splitlines()
    assert lines[0] == "process 0 on desk: 0.400 s for a step of 16 pictures; reads 20 pictures/s"
    assert lines[1] == "process 1 on lab: 0.400 s for a step of 16 pictures; reads 15 pictures/s"
    assert lines[2] == "links: 0.10 ms, 1000 Mbit/s; 16.8 MB are learned"
    assert [line.split()[0] for line in lines[3:9]] == list(FORECASTS)
    assert lines[3].split() == ["alone", "40.0", "pictures/s,", "0.3", "s", "for", "an", "epoch"]
    assert lines[9].startswith("The disks are slower than that")
    assert lines[10] == f"choice: {why}"


@pytest.mark.slow
def test_two_processes_of_this_machine_are_measured(photos, capsys):
    pytest.importorskip("ray")
    words = (photos, "--workers", 2, "--size", 32, "--batch-size", 8, "--json")
    found = json.loads(doctor(capsys, *words))
    assert len(found["steps"]) == len(found["disks"]) == 2
    assert min(found["disks"]) > 0 and min(seconds for _, seconds in found["steps"]) > 0
    measured = found["measured"]
    assert measured["bandwidth"] > 1e6 and measured["activations"] > 0
    assert measured["part"] > measured["step"] / 4  # small parts compute less well
    assert list(found["forecasts"]) == list(FORECASTS)
    chosen = "one process: " if found["choice"] == "alone" else f"{found['choice']}: 2 processes "
    assert found["choice"] in FORECASTS and found["why"].startswith(chosen)


@pytest.fixture
def head(monkeypatch):
    """Address of a Ray cluster of this machine alone, with a token of its own."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    port, clients = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # a short path, as of its sockets
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
                   f"--port={port}", "--num-cpus=2", "--include-dashboard=false",
                   f"--ray-client-server-port={clients}", "--object-store-memory=100000000",
                   "--disable-usage-stats", f"--temp-dir={folder}"]  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_for(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()  # which ends what it has started
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return free.getsockname()[1]


def wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
    pytest.fail("Ray's head did not start within 60 s")


@pytest.mark.slow
def test_a_cluster_that_runs_is_measured(photos, head):
    def ask(*words):
        command = [sys.executable, "-m", "darter", "doctor", str(photos), "--cluster", head]
        done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=200)
        return done.returncode, done.stdout, done.stderr

    status, out, errors = ask("--workers", "2", "--size", "32", "--batch-size", "8")
    assert status == 0, errors
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["process", "0"], ["process", "1"], ["links:", lines[2].split()[1]],
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[3:9]] == list(FORECASTS)
    assert lines[-1].startswith("choice: ")
    status, out, errors = ask()
    assert (status, out) == (2, "")
    assert "darter: the cluster has one machine, this one." in errors
