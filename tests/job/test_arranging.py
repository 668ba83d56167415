"""`darter train --speed`: a model that meets the wish, its cost, and a run that was interrupted."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darter.cli import main
from darter.files import read_json, write_json
from darter.job import arranging, engine
from darter.job.options import JobOptions
from darter.job.wishes import Target
from darter.model import load, read_info
from darter.train import Recipe

QUICK = ("--strategy", "scratch", "--size", "48", "--epochs", "1", "--time", "40s")


def darter(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "darter", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def squares(folder: Path, count: int = 90) -> Path:
    """Squares of three colors on noise."""
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 60, (48, 48, 3), np.uint8)
        y, x = rng.integers(0, 24, 2)
        pixels[y : y + 24, x : x + 24, number % 3] += 150
        path = folder / "rgb"[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wish")
    data = squares(folder / "data")
    done = darter("train", data, "--out", folder / "run", "--file-size", "700kB", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "arrange" in done.stderr
    return folder / "run"


def test_the_file_is_as_small_as_wished_and_the_old_one_is_beside(run):
    record = read_json(run / "arranged.json")
    before, after = record["files"]
    assert record["met"]
    assert after["bytes"] == (run / "model.onnx").stat().st_size <= 7e5 < before["bytes"]
    assert before["bytes"] == (run / "trained.onnx").stat().st_size
    assert set(read_json(run / "speed.json")["milliseconds_before"]) == {"batch_1", "batch_8"}
    assert after["weights"] < before["weights"]
    assert after["multiply_adds"] < before["multiply_adds"]
    kept = [row for row in record["tried"] if row["kept"]]
    assert len(kept) == 1 and kept[0]["met"]
    evaluation = read_json(run / "evaluation.json")
    assert after["score"] == pytest.approx(evaluation["accuracy"])
    assert read_info(run / "model.onnx").card["arranged"]["way"] == kept[0]["way"]
    assert "What was wished" in (run / "report.html").read_text()


def test_a_resumed_run_ends_in_the_same_answers(run):
    images = np.random.default_rng(0).normal(size=(4, 3, 48, 48)).astype(np.float32)
    before = load(run / "model.onnx").logits(images)
    record = read_json(run / "run.json")
    for stage in ("export", "evaluate", "explain", "speed"):  # as if killed after the arranging
        del record["seconds"][stage]
    write_json(run / "run.json", record | {"state": "interrupted"})
    (run / "model.onnx").unlink()
    done = darter("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(load(run / "model.onnx").logits(images), before, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--speed", "fast"), "or a share of it such as 60%"),
        (("--speed", "120%"), "between 0% and 100%"),
        (("--file-size", "none"), "--file-size"),
        (("--speed", "60%", "--ensemble", "3"), "an ensemble has several"),
        (("--speed", "60%", "--strategy", "binary"), "a binary net is of 1 bit"),
    ],
)
def test_what_cannot_be_wished_is_said_before_any_work(tmp_path, capsys, arguments, words):
    data = squares(tmp_path / "data", 12)
    with pytest.raises(SystemExit) as ended:
        main(["train", str(data), "--out", str(tmp_path / "run"), *arguments])
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


class HalfTheTime(engine.Engine):
    """As on a CPU where bfloat16 takes half of the time."""

    def ms(self, net, size, precision):
        return (size / 48) ** 2 * (0.5 if precision == "bfloat16" else 1.0)


def test_the_same_net_in_bfloat16_where_the_cpu_has_it(tmp_path, monkeypatch, capsys):
    for place in ("model.precision", "job.arranging"):
        monkeypatch.setattr(f"darter.{place}.has_bfloat16", lambda: True)
    monkeypatch.setattr(arranging, "Engine", HalfTheTime)
    data = squares(tmp_path / "data", 60)
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["train", str(data), "--out", str(run), "--speed", "60%", *QUICK])
    assert ended.value.code in (0, None)
    record = read_json(run / "arranged.json")
    (kept,) = (row for row in record["tried"] if row["kept"])
    info, speed = read_info(run / "model.onnx"), read_json(run / "speed.json")
    assert read_info(run / "trained.onnx").precision == "float32"
    before, after = record["files"]
    assert [row["ms"] for row in (before, after)] == [
        speed[key]["batch_1"]["min"] for key in ("milliseconds_before", "milliseconds")
    ]
    assert record["met"] == (after["ms"] <= 0.6 * before["ms"])
    assert (kept["way"], kept["steps"]) == ("bfloat16", 0), "the same net has nothing to learn"
    assert kept["precision"] == info.precision == speed["precision"] == after["precision"]
    assert info.precision == "bfloat16" and info.card["arranged"]["precision"] == "bfloat16"
    assert (after["size"], after["weights"]) == (before["size"], before["weights"])
    session = load(run / "model.onnx")
    assert session.precision == "bfloat16" and before["precision"] == "float32"
    assert after["score"] == read_json(run / "evaluation.json")["accuracy"]
    x = np.random.default_rng(0).normal(size=(4, 3, 48, 48)).astype(np.float32)
    first = load(run / "trained.onnx").logits(x)
    np.testing.assert_allclose(load(run / "model.onnx", precision="float32").logits(x), first)
    np.testing.assert_allclose(session.logits(x), first, atol=0.1)
    assert "<code>darter.precision</code>" in (run / "report.html").read_text()
    assert "run model.onnx in float32" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("met", "ms", "kept"), [(False, 9.0, False), (False, 7.0, True), (True, 9.0, True)]
)
def test_the_nearest_is_not_slower_than_what_was_trained(met, ms, kept):
    stage = arranging._Arranging.__new__(arranging._Arranging)
    stage.wish = Target(share=0.5)
    row = arranging.Tried("fewer channels", "", 48, ms, 10, 0.5, 0.1, met=met)
    assert stage._nearer(row, 8.0) == kept


def test_the_wish_is_judged_in_words_by_what_was_measured_last():
    share, most = Target(share=0.6), Target(ms=5.0, bytes=1e6)
    assert share.judged(1.14, 2.44, 0) == (
        "60% of the time: met, 46.7% (1.14 of 2.44 ms, the fastest of runs in turns)"
    )
    assert most.judged(6.0, 9.0, 5e5) == (
        "5 ms: NOT met, 6 ms (the fastest of runs in turns); a file of 1 MB: met, 0.5 MB"
    )


def test_what_did_not_change_is_said_once():
    before = {"ms": 2.0, "weights": 1000, "score": 0.917}
    kept = before | {"way": "bfloat16", "what": "", "ms": 1.0, "kept": True, "met": True}
    said = arranging.sentence({"wish": "1 ms", "before": before, "tried": [kept]})
    assert "still 1,000 weights" in said and "still 91.7% right" in said


@pytest.mark.parametrize("able", [True, False])
def test_who_names_a_precision_gets_it(monkeypatch, able):
    monkeypatch.setattr(arranging, "has_bfloat16", lambda: able)

    def may(precision, **more):
        recipe = Recipe(precision=precision)
        return arranging.may_be_short(JobOptions("photos", recipe=recipe, **more))

    assert may("auto") == may("bfloat16") == able
    assert not may("float32") and not may("fixed<2,14>") and not may("auto", int8=True)
