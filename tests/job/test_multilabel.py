"""The main job on pictures with several labels, from the list to the page."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from darter.files import read_json
from darter.model import read_info

QUICK = ("--strategy", "fine-tune-last", "--epochs", "2", "--size", "64")
COLORS = {"red": 0, "green": 1, "blue": 2}


def darter(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "darter", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run on squares of any mix of three colors, some without any."""
    folder, rng = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    with (folder / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "labels"])
        for number in range(72):
            present = [color for color in COLORS if rng.random() < 0.5]
            pixels = rng.integers(0, 60, (64, 64, 3), np.uint8)
            for color in present:
                y, x = rng.integers(0, 40, 2)
                pixels[y : y + 24, x : x + 24] = np.eye(3)[COLORS[color]] * 220
            Image.fromarray(pixels).save(folder / f"{number}.png")
            rows.writerow([f"{number}.png", "|".join(present)])
    done = darter("train", folder / "list.csv", "--out", folder / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "mean average precision" in done.stdout
    return folder / "run"


def test_the_records_speak_of_labels(run):
    entries, evaluation = read_json(run / "run.json"), read_json(run / "evaluation.json")
    assert entries["result"]["measure"] == "mean average precision"
    assert entries["result"]["accuracy"] == evaluation["mean_average_precision"] > 0.8
    assert [row["label"] for row in evaluation["per_label"]] == ["blue", "green", "red"]
    assert "average precision per picture" in entries["verdict"]
    assert read_json(run / "parity.json")["passed"]
    info = read_info(run / "model.onnx")
    assert info.task == "multilabel" and len(info.calibration.thresholds) == 3


def test_the_page_has_a_section_of_labels(run):
    page = (run / "report.html").read_text()
    assert "Label by label" in page and "mean average precision of" in page
    assert "confusion matrix" not in page


def test_predict_and_evaluate_take_the_model(run):
    picture = run.parent / "0.png"
    done = darter("predict", run / "model.onnx", picture, "--csv")
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert set(row["label"].split("|")) <= {*COLORS, ""}
    done = darter("evaluate", run / "model.onnx", run.parent / "list.csv")
    assert done.returncode == 0 and "Mean average precision" in done.stdout


@pytest.mark.slow
def test_a_killed_run_is_resumed_to_the_same_bits(run, tmp_path):
    out = tmp_path / "killed"
    command = ["-m", "darter", "train", run.parent / "list.csv", "--out", out, *QUICK]
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 2:  # an epoch is done
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (out / "model.onnx").exists()
    assert darter("train", "--resume", out).returncode == 0
    assert weights(out) == weights(run)


def weights(folder: Path) -> dict[str, bytes]:
    model = onnx.load(folder / "model.onnx")
    return {each.name: each.SerializeToString() for each in model.graph.initializer}
