"""Commands with --workers give the files and rows that one process gives, also when one dies."""

import csv
import io
import json
import os
import signal
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from darter.cli.app import main
from tests.distributed.test_trials import processes_named
from tests.tiny_models import darter_model, picture

pytestmark = pytest.mark.slow
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture(autouse=True)
def _ray():
    pytest.importorskip("ray")


def output(capfd, *words) -> str:
    with suppress(SystemExit):
        main([*map(str, words)])
    return capfd.readouterr().out


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for name, color in COLORS.items():
        for number in range(30):
            noise = random.integers(0, 60, (40, 60, 3))
            pixels = np.clip(noise + np.array(color) - 30, 0, 255).astype(np.uint8)
            file = tmp_path / "photos" / name / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    (tmp_path / "photos" / "red" / "cut.jpg").write_bytes(file.read_bytes()[:300])
    return tmp_path / "photos"


def test_audit_and_pack(capfd, tmp_path, photos):
    alone, shared = (output(capfd, "audit", photos, "--json", *w) for w in ((), ("--workers", 2)))
    assert json.loads(shared) == json.loads(alone)
    for name, more in (("one", ()), ("two", ("--workers", 2))):
        output(capfd, "pack", photos, tmp_path / name, "--max-side", 32, *more)
    files = [sorted(f.name for f in (tmp_path / n).iterdir()) for n in ("one", "two")]
    assert files[0] == files[1]
    for file in (tmp_path / "one").glob("*.tar"):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_evaluate(capfd, tmp_path, photos):
    model = darter_model(tmp_path / "model.onnx")
    alone, shared = (
        output(capfd, "evaluate", model, photos, "--json", *w) for w in ((), ("--workers", 2))
    )
    assert json.loads(shared) == json.loads(alone)


def test_predict_gives_each_row_once_though_a_worker_is_killed(capfd, tmp_path):
    model = darter_model(tmp_path / "model.onnx")
    for name, color in COLORS.items():
        picture(tmp_path / f"{name}.png", color)
    files = [str(tmp_path / f"{name}.png") for name in COLORS] * 7000
    (tmp_path / "list.txt").write_text("\n".join(files))
    killed = threading.Thread(target=kill_one, daemon=True)
    killed.start()
    out = output(capfd, "predict", model, "--list", tmp_path / "list.txt", "--csv", "--workers", 2)
    killed.join(1)
    assert not killed.is_alive(), "no worker was killed"
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in rows] == files
    assert [row["label"] for row in rows] == list(COLORS) * 7000


def kill_one() -> None:
    while not (found := processes_named("ray::Hand.do")):
        time.sleep(0.02)
    time.sleep(0.5)
    os.kill(found[0], signal.SIGKILL)
