"""From a file and pictures to a file; the command around it."""

import json
import subprocess
import sys

import numpy as np
import pytest

import darter
from darter.model import load, read_info
from darter.quantize import Wish, gather, quantize_file
from tests.quantize.nets import CLASSES, info, write_net, write_pictures


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "darter", "quantize", *map(str, arguments)],
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture
def model(tmp_path):
    return write_net(tmp_path / "net.onnx")


def labelled(folder, model, count=60):
    """Pictures labelled by the net itself, so that it is always right."""
    plain = write_pictures(folder.with_name("plain"), count)
    files = sorted(plain.iterdir())
    answers = [p.label for p in darter.load(model).predict(files, unknown_below=0.0)]
    for file, answer in zip(files, answers, strict=True):
        here = folder / answer
        here.mkdir(parents=True, exist_ok=True)
        file.rename(here / file.name)
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def test_labelled_pictures_judge_by_accuracy(model, tmp_path):
    folder = labelled(tmp_path / "photos", model)
    out = tmp_path / "small.onnx"
    record = quantize_file(load(model), model, folder, out, wish=Wish(drop=10))
    assert record["score"][0] == 1.0 and record["difference"]["agreement"] > 0.85
    assert record["tried"][-1]["rounding"] == "least squares"
    low, high = record["difference"]["points_interval"]
    assert low <= record["difference"]["points"] <= 0 <= high
    assert record["difference"]["worse"] == round(
        (1 - record["score"][1]) * record["difference"]["n"]
    )
    card = read_info(out).card
    assert card["data"] == {"name": "made up"} and card["quantized"]["from"] == "net.onnx"
    assert set(record["ms"]["darter"]) == {"float32", "int8"}
    assert load(out).info.classes == CLASSES


def test_the_command_writes_beside_the_model(model, tmp_path):
    photos = write_pictures(tmp_path / "photos", 40)
    done = run(model, photos, "--json", "--max-drop", 30)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["out"] == str(tmp_path / "net-int8.onnx")
    assert record["score"] == [None, None] and record["difference"]["points"] is None
    shown = run(model, photos, "--max-drop", 30, "--calibration", "min-max", "-q")
    assert "The same answer for" in shown.stdout and "Written: " in shown.stdout
    assert shown.stderr == ""


def test_what_cannot_be_done_is_a_sentence_and_writes_nothing(model, tmp_path):
    photos = write_pictures(tmp_path / "photos", 40)
    out = tmp_path / "out.onnx"
    few = write_pictures(tmp_path / "few", 5)
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.read_bytes()[:300])
    for arguments, said in [
        ((model,), "name the pictures, too"),
        ((tmp_path / "empty",), "is not the folder of a training run"),
        ((model, tmp_path / "nowhere"), "no such folder"),
        ((model, tmp_path / "empty"), "too few"),
        ((model, few), "5 pictures are too few"),
        ((model, model), "the model comes first"),
        ((broken, photos), "not a usable ONNX model"),
        ((model, photos, "--calibration", "magic"), "min-max, percentile, mse, entropy"),
        ((model, photos, "--keep", "nobody"), "no layer is called 'nobody'"),
        ((photos, model), "without a model.onnx"),
    ]:
        done = run(*arguments, "--out", out)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("darter: ") and said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and not out.exists()


def test_more_lost_than_wished_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr("darter.quantize.file.points_lost", lambda *_: 7.0)
    photos = write_pictures(tmp_path / "photos", 40)
    out = tmp_path / "out.onnx"
    with pytest.raises(darter.errors.ExportError, match=r"nothing was written: 7.0 points of agr"):
        quantize_file(load(model), model, photos, out)
    assert not out.exists()


def test_pictures_are_divided_so_that_none_has_two_parts(tmp_path):
    def label(number):
        return f"{('train', 'val', 'test')[number % 3]}/{CLASSES[number % 4]}"

    split = write_pictures(tmp_path / "split", 72, label=label)
    found = gather(split, info(), most=8)
    assert found.labelled and len(found.test) == 24
    assert {sample.split for sample in found.test} == {"test"}
    assert len(found.choose_targets) == len(found.choose) and not found.notes
    seen = [*found.calibrate, *found.held, *found.choose]
    assert len({x.tobytes() for x in seen}) == len(seen)
    strange = write_pictures(tmp_path / "strange", 40, label=lambda k: ["a", "z"][k % 2])
    found = gather(strange, info(), most=8)
    assert not found.labelled and "does not know the class 'z'" in found.notes[0]
    tests = {info().preprocess(s.path).tobytes() for s in found.test}
    assert not tests & {np.asarray(x).tobytes() for x in (*found.calibrate, *found.held)}
