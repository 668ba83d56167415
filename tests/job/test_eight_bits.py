"""`darter train --precision int8`: killed in its stage, gone on with, kept, refused."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darter.errors import OptionError
from darter.files import read_json, write_json
from darter.job import JobOptions
from darter.job.eight_bits import _verdict, check_int8
from darter.model import load, read_info
from darter.report import write_html
from darter.train import Recipe
from tests.job.test_arranging import squares

CODE = """
import os, signal, sys
from darter.cli import main
from darter.job import eight_bits

faster, killed = sys.argv[1] == "faster", sys.argv[2] == "killed"
ms = {"float32": 2.0, "int8": 1.0 if faster else 3.0}

def timed(*_):
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"darter": ms}

eight_bits.times = timed
main(["train", *sys.argv[3:]])
"""
QUICK = ("--strategy", "scratch", "--size", "32", "--epochs", "1", "--time", "40s")


def train(faster, killed, *arguments):
    return subprocess.run(
        [sys.executable, "-c", CODE, faster, killed, *map(str, arguments)],
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run that was killed while it was quantized, and gone on with."""
    folder = tmp_path_factory.mktemp("eight")
    data, out = squares(folder / "data"), folder / "run"
    wish = ("--precision", "int8", "--max-drop", "100")
    done = train("faster", "killed", data, "--out", out, *wish, *QUICK)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "quantize" not in read_json(out / "run.json")["seconds"]
    done = train("faster", "", "--resume", out)
    assert done.returncode == 0, done.stderr
    assert "8 bits are kept" in done.stderr and "points from float32" in done.stderr
    return out


def test_the_model_is_of_8_bits_and_the_float_one_is_beside(run):
    record = read_json(run / "quantized.json")
    assert record["kept"] and record["made"]["layers"] > 3
    small, large = run / "model.onnx", run / "float32.onnx"
    assert b"QuantizeLinear" in small.read_bytes() and b"QuantizeLinear" not in large.read_bytes()
    card = read_info(small).card
    assert card["quantized"]["from"] == "float32.onnx" and card["strategy"] == "scratch"
    table = read_json(run / "precisions.json")
    assert [row["name"] for row in table["forms"]] == ["float32", "bfloat16", "int8"]
    assert table["forms"][2]["score"] == pytest.approx(
        read_json(run / "evaluation.json")["accuracy"]
    )
    page = (run / "report.html").read_text()
    assert "The same model with fewer bits" in page and "8 bits are kept" in page.replace("\n", " ")
    assert "float32.onnx, of which the file of 8 bits was made" in page


@pytest.mark.slow
def test_what_is_not_faster_is_refused_and_float32_kept(run):
    images = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)
    before = load(run / "float32.onnx").logits(images)
    state = read_json(run / "run.json")
    for stage in ("quantize", "evaluate", "explain", "speed", "precisions"):
        del state["seconds"][stage]
    write_json(run / "run.json", state | {"state": "interrupted"})
    done = train("slower", "", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert "float32 is kept: 8 bits are not faster on this machine (2 ms become 3" in done.stderr
    np.testing.assert_array_equal(load(run / "model.onnx").logits(images), before)
    assert "quantized" not in read_info(run / "model.onnx").card
    assert not read_json(run / "quantized.json")["kept"]
    table = read_json(run / "precisions.json")
    assert len(table["forms"]) == 3, "what it would have cost is told all the same"
    write_html(run)
    assert "float32 is kept" in (run / "report.html").read_text().lower()


def test_what_decides_is_what_is_lost_and_what_is_faster():
    ms = {"darter": {"float32": 2.0, "int8": 1.0}}
    record = {"made": {"lost_when_chosen": 0.3}, "most_lost": 0.5, "met": True, "ms": ms}
    of = "accuracy lost on 40"
    assert _verdict(record, ["darter"], of)["kept"]
    found = _verdict(record, [], of)
    assert "kept" not in found and "float32 is kept: 8 bits are not faster" in found["why"]
    found = _verdict(record | {"met": False}, ["darter"], of)
    assert "kept" not in found and found["why"].endswith("in 8 bits, and 0.5 may be")


def test_wishes_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="give both"):
        check_int8(JobOptions("photos", max_drop=1.0))
    with pytest.raises(OptionError, match="a binary net is of 1 bit"):
        check_int8(JobOptions("photos", recipe=Recipe(strategy="binary"), int8=True))
    options = JobOptions("photos", int8=True, max_drop=1.5)
    check_int8(options)
    assert JobOptions.from_dict(options.to_dict()) == options
