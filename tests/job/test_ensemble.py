"""An ensemble in one file, from the command to the answer: all runtimes agree."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darter.files import read_json
from darter.model import load, read_info, softmax

QUICK = ("--strategy", "linear-probe", "--size", "64", "--ensemble", "2", "--time", "40s")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run on squares of three colors, with noise pictures as strangers."""
    folder, rng = tmp_path_factory.mktemp("ensemble"), np.random.default_rng(0)
    for number in range(210):
        pixels = rng.integers(0, 60, (64, 64, 3), np.uint8)
        y, x = rng.integers(0, 40, 2)
        pixels[y : y + 24, x : x + 24, number % 3] += 150
        path = folder / "data" / "rgb"[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (folder / "strange").mkdir()
    for number in range(20):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((80, 80), 0).save(folder / "strange" / f"{number}.png")
    command = [sys.executable, "-m", "darter", "train", folder / "data", "--out", folder / "run",
               "--unknown", folder / "strange", *QUICK]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_one_file_holds_both_and_any_runtime_runs_it(run):
    import onnxruntime

    info = read_info(run / "model.onnx")
    assert info.card["members"] == 2 and info.card["augment"]
    assert read_json(run / "parity.json")["runtimes"] == ["darter", "onnxruntime"]
    plain = onnxruntime.InferenceSession(str(run / "model.onnx"))
    images = np.random.default_rng(0).normal(size=(3, *info.preprocess.shape)).astype(np.float32)
    logits, novelty = plain.run(None, {"images": images})
    session = load(run, runtime="darter")
    np.testing.assert_allclose(session.logits(images), logits, atol=1e-3)
    np.testing.assert_allclose(session.rows(images)[:, -1:], novelty, atol=1e-4)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)
    assert not session.notes


def test_strangers_are_unknown_and_own_pictures_are_not(run):
    session, measured = load(run), read_json(run / "strangeness.json")
    assert measured["refused"] >= 0.9 and measured["kept"] >= 0.9
    assert measured["auroc"]["feature distance"] > 0.95
    strange = list(session.predict(sorted((run.parent / "strange").iterdir())))
    assert sum(answer.unknown for answer in strange) >= 18
    assert all(answer.label is None and answer.novelty > 0 for answer in strange if answer.unknown)
    always = list(session.predict([(run.parent / "strange" / "0.png")], unknown_below=0))
    assert not always[0].unknown, "asked for an answer always"
    own = list(session.predict(sorted((run.parent / "data" / "r").iterdir())[:20]))
    assert sum(answer.unknown for answer in own) <= 4


def test_the_worth_of_looks_is_in_the_records(run):
    worth = read_json(run / "worth.json")
    if "rows" in worth:  # thirty validation pictures or more
        names = [row["name"] for row in worth["rows"]]
        assert names[0] == "one look" and "the first model alone" in names
        assert worth["kept"] == "one look" or read_info(run / "model.onnx").over is not None


def test_models_are_a_source(run):
    session, picture = load(run), sorted((run.parent / "data" / "r").iterdir())[0]
    (over,) = session.predict([picture], over=("models",))
    (none,) = session.predict([picture], over=("none",))
    assert over.top == none.top
