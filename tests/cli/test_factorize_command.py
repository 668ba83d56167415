"""`darter factorize` from the outside: a model file and pictures in, a smaller file out."""

import json

import numpy as np
import pytest
from PIL import Image

import darter
from darter.cli import main
from darter.cli.factorize import show
from darter.errors import OptionError
from darter.files import write_json
from darter.job import parse_bytes, parse_ms, parse_percent
from darter.job.factorize import _parts
from darter.model import ModelInfo, read_info, write_info
from darter.picture import Preprocess
from tests.net.onnx_nets import N, net

COLORS = ("blue", "green", "red")


def color_file(path):
    """Says which color is strongest; its middle layer is of rank 3, so that it can be split."""
    rng = np.random.default_rng(0)
    first = np.zeros((64, 3, 3, 3), np.float32)
    for k in range(64):
        first[k, k % 3, 1, 1] = 1
    mix = np.array([[float(a % 3 == b % 3) for a in range(64)] for b in range(64)]) / 21
    second = np.zeros((64, 64, 3, 3), np.float32)
    second[:, :, 1, 1] = mix
    second += 1e-5 * rng.standard_normal(second.shape)
    last = np.zeros((3, 64), np.float32)
    for k in range(63):
        last[2 - k % 3, k] = 1
    weights = {"w0": first, "w1": second.astype(np.float32), "v": last}
    nodes = [
        N("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1], name="first"),
        N("Relu", ["a"], ["b"]),
        N("Conv", ["b", "w1"], ["c"], pads=[1, 1, 1, 1], name="second"),
        N("Relu", ["c"], ["d"]),
        N("GlobalAveragePool", ["d"], ["e"]),
        N("Flatten", ["e"], ["f"]),
        N("Gemm", ["f", "v"], ["logits"], transB=1, name="classes"),
    ]
    model = net(nodes, weights, x=("n", 3, 32, 32), outputs=("logits",))
    model.graph.output[0].type.tensor_type.shape.dim.add(dim_param="n")
    model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=3)
    look = Preprocess(size=32, resize=32, mean=(0, 0, 0), std=(1, 1, 1))
    write_info(model, ModelInfo(COLORS, look, card={"seed": 3}))
    path.write_bytes(model.SerializeToString())
    return path


def pictures(folder):
    rng = np.random.default_rng(0)
    for k, color in enumerate(COLORS):
        for i in range(24):
            pixels = rng.integers(0, 90, (32, 32, 3), np.uint8)
            pixels[:, :, 2 - k] += 120
            place = folder / color / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place)
    return folder


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["factorize", *map(str, arguments)])
    return ended.value.code


def test_a_smaller_file_that_answers_the_same(tmp_path, capsys):
    model, data = color_file(tmp_path / "model.onnx"), pictures(tmp_path / "pictures")
    out = tmp_path / "small.onnx"
    size = ("--file-size", "100kB", "--kinds", "tucker,channel")
    assert run(model, data, *size, "--steps", "5", "--out", out, "--json", "--threads", "1") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["met"]
    assert record["weights"][1] < record["weights"][0]
    assert record["score"] == [1.0, 1.0]
    assert out.stat().st_size == record["bytes"][1] < model.stat().st_size
    assert {row["name"] for row in record["layers"]} == {"first", "second", "classes"}
    info = read_info(out)
    assert info.classes == COLORS
    assert info.card["factorized"]["from"] == "model.onnx"
    assert darter.load(out)([data / "red" / "0.png"])[0].label == "red"


def test_a_run_is_judged_on_its_own_test_pictures(tmp_path):
    data, folder = pictures(tmp_path / "pictures"), tmp_path / "run"
    names = sorted(p.relative_to(data).as_posix() for p in data.rglob("*.png"))
    parts = {"train": names[::2], "val": names[1::4], "test": names[3::4]}
    write_json(folder / "split.json", parts)
    write_json(folder / "run.json", {"options": {"data": str(data), "test": None}})
    model = color_file(folder / "model.onnx")
    info = read_info(model)
    for source in (folder, model):
        found = _parts(source, data, info, None, lambda said: None)
        own = [s.path.relative_to(data).as_posix() for s in found["test"]]
        assert sorted(own) == parts["test"]
    said = []
    _parts(tmp_path / "elsewhere.onnx", data, info, None, said.append)
    assert "may have learned from some of the test pictures" in said[0]


def test_the_end_says_how_near_it_came_and_what_it_cost(capsys):
    change = {"difference": -0.1, "interval": (-0.15, -0.05), "better": 0, "worse": 10}
    record = {
        "layers": [{"kind": None, "why": "no split of it is faster here"}] * 3,
        **{key: [2, 1] for key in ("weights", "multiply_adds", "ms", "bytes", "score")},
        "interval": [(0, 1)] * 2, "measure": "accuracy", "met": False, "out": "small.onnx",
        "judged": ["3 times as fast wished, it is 2.00 times"],
        "change": change | {"pictures": 100},
    }  # fmt: skip
    show(record)
    said = " ".join(capsys.readouterr().out.split())
    assert "3 of 3 layers stay: no split of it is faster here." in said
    assert "paired 95% interval -15.0 to -5.0" in said and "it fell clearly" in said
    assert "not met: 3 times as fast wished, it is 2.00 times" in said
    assert "more --steps" in said


def test_mistakes_are_sentences(tmp_path, capsys):
    model = color_file(tmp_path / "model.onnx")
    assert run(model, tmp_path) == 2
    assert "--max-loss" in capsys.readouterr().err
    assert run(model, tmp_path, "--speedup", "2", "--kinds", "magic") == 2
    assert "magic" in capsys.readouterr().err
    wish = ("--speedup", "2")
    for arguments, words in (
        ((tmp_path / "none", *wish), "no such folder"),
        ((tmp_path, *wish, "--drop", "30"), "between 0% and 100% is expected, as 30%"),
        ((tmp_path, *wish, "--drop", "300%"), "between 0% and 100%"),
        ((tmp_path, *wish, "--out", model), "is the model itself"),
        ((tmp_path, "--speed", "60%"), "--speedup"),
        (wish, "name the pictures, too"),
    ):
        assert run(model, *arguments) == 2
        assert words in " ".join(capsys.readouterr().err.split())
    assert run(tmp_path / "none.onnx", tmp_path, "--speedup", "2") == 2
    assert "no such model file" in capsys.readouterr().err


def test_units_of_wishes():
    assert parse_percent("1%", "--max-loss") == 0.01
    assert (parse_ms("2ms", "--speed"), parse_ms("0.5 s", "--speed")) == (2.0, 500.0)
    assert (parse_bytes("1MB", "--file-size"), parse_bytes("500 kB", "--file-size")) == (1e6, 5e5)
    for parse, text in ((parse_percent, "0.01"), (parse_ms, "fast"), (parse_bytes, "1")):
        with pytest.raises(OptionError, match=r"--option .*expected"):
            parse(text, "--option")
