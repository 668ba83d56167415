"""The whole way of boxes and of captions: folder in, proven file and page out."""

import csv
import json

import pytest
from annotated import shapes
from rich.console import Console

from darter.dataset import find_samples
from darter.job import JobOptions, Screen, resume_job, run_job
from darter.train import Recipe

QUIET = Screen(Console(quiet=True))


@pytest.mark.slow
def test_boxes_become_a_detector(tmp_path):
    data = shapes(tmp_path / "shapes", 24)
    options = JobOptions(str(data), seconds=60.0, recipe=Recipe(epochs=3, precision="float32"))
    folder = run_job(options, tmp_path / "run", QUIET)
    found = folder.read("evaluation")
    assert folder.run["state"] == "done" and found["task"] == "detect"
    assert set(folder.run["result"]) >= {"measure", "accuracy", "interval", "n", "split"}
    assert folder.read("parity")["passed"] and "darter" in folder.read("parity")["runtimes"]
    assert "darter detect" in (folder.path / "report.html").read_text()
    # As if it had been killed after training: what is left is done again, and gives the same.
    folder.save(state="interrupted")
    (folder.path / "model.onnx").unlink()
    again = resume_job(folder.path, QUIET)
    assert again.read("evaluation") == found


@pytest.mark.slow
def test_captions_become_a_model_or_a_retrieval(tmp_path):
    boxes = find_samples(shapes(tmp_path / "shapes", 24))
    with (tmp_path / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "caption"))
        for sample in boxes.samples:
            rows.writerow((sample.path, "there is a " + " and a ".join(sample.labels)))
    options = JobOptions(str(tmp_path / "list.csv"), seconds=60.0, recipe=Recipe(epochs=3, size=64))
    folder = run_job(options, tmp_path / "run", QUIET)
    found = json.loads((folder.path / "evaluation.json").read_text())
    assert found["kept"] in ("attention-lstm", "nearest-neighbour")
    assert found["baseline"]["scores"].keys() == found["intervals"].keys()
    assert "nearest" in folder.run["verdict"] or "looks most alike" in folder.run["verdict"]
    assert "darter caption" in (folder.path / "report.html").read_text()
