import json
import shlex
import sys

import numpy as np
import onnx
import pytest

from darter.bench import Case, compare
from darter.bench.exports import given_net, random_net
from darter.bench.nets import Worker
from darter.bench.runtimes import check
from darter.cli.app import main
from darter.errors import ModelFileError, OptionError, UnsupportedError
from tests.tiny_models import color_model, save


@pytest.fixture
def file(tmp_path):
    return save(color_model(), tmp_path / "colors.onnx")


@pytest.fixture
def case(file, tmp_path):
    (tmp_path / "nets").mkdir()
    return Case(given_net(file, tmp_path / "nets"), batch=3, precision="float32", threads=1)


def test_runtimes_take_turns_and_absent_ones_are_named(case):
    pytest.importorskip("onnxruntime")
    found = compare(case, ["onnxruntime", "ncnn", "eager"], rounds=2, seconds=0.01)
    assert [row.runtime for row in found.rows] == ["darter", "onnxruntime"]
    assert all(row.min_ms <= row.ms <= row.max_ms and row.error < 1e-5 for row in found.rows)
    assert found.left_out["ncnn"] == "takes one picture at a time"
    assert "colors.pt" in found.left_out["eager"]
    assert found.speedup == pytest.approx(found.peers[0].ms / found.ours.ms)
    ours, peer = found.records()
    assert ours["best_peer"] == "onnxruntime"
    assert "speedup" not in peer


def test_a_runtime_without_its_package_is_left_out(case, tmp_path):
    bare = tmp_path / "python"  # an interpreter without ONNX Runtime
    lacking = (
        "import runpy, sys; sys.modules['onnxruntime'] = None; del sys.argv[0]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    bare.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{lacking}" "$@"\n')
    bare.chmod(0o755)
    found = compare(case, ["onnxruntime"], python=str(bare), rounds=1, seconds=0.01)
    assert found.left_out == {"onnxruntime": "onnxruntime is not installed"}
    assert found.speedup is None


def test_a_runtime_that_stops_while_it_is_timed_is_left_out(case, monkeypatch):
    pytest.importorskip("onnxruntime")
    turn = Worker.turn

    def kill_the_peer(worker, seconds):
        if worker.runtime == "onnxruntime":
            worker._process.kill()
            worker._process.wait()
        return turn(worker, seconds)

    monkeypatch.setattr(Worker, "turn", kill_the_peer)
    found = compare(case, ["onnxruntime"], rounds=2, seconds=0.01)
    assert found.left_out == {"onnxruntime": "stopped while it was timed: it was killed"}
    assert [row.runtime for row in found.rows] == ["darter"]


def test_weights_in_another_file_come_with_the_model(file, tmp_path):
    pytest.importorskip("onnxruntime")
    model = onnx.load(file)
    onnx.save_model(model, file, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "nets").mkdir()
    case = Case(given_net(file, tmp_path / "nets"), batch=1, precision="float32", threads=1)
    found = compare(case, ["onnxruntime"], rounds=1, seconds=0.01)
    assert [row.runtime for row in found.rows] == ["darter", "onnxruntime"]


def test_other_answers_are_no_rounding():
    y = np.array([[1.0, -4.0]])
    assert check(y + 0.004, y, "float32") == pytest.approx(0.001)
    with pytest.raises(ValueError, match=r"something else: 2\.5e-02"):
        check(y + 0.1, y, "float32")
    with pytest.raises(ValueError, match="nan"):
        check(y * np.nan, y, "float32")


def test_unknown_and_unfit_nets_are_refused(tmp_path):
    with pytest.raises(OptionError, match="unknown net 'lenet'; choose from vgg19"):
        random_net("lenet", tmp_path)
    with pytest.raises(ModelFileError, match=r"gone\.onnx"):
        given_net(tmp_path / "gone.onnx", tmp_path)
    last = save(color_model(inputs=("n", 8, 8, 3)), tmp_path / "last.onnx")
    with pytest.raises(UnsupportedError, match=r"\(N, C, H, W\), got float32 NHWC"):
        given_net(last, tmp_path / "nets")


def test_a_model_may_end_in_softmax_and_insist_on_a_batch(tmp_path, capfd):
    pytest.importorskip("onnxruntime")
    options = {"inputs": (2, 3, 8, 8), "outputs": (2, 3), "tail": ("Softmax",)}
    file = save(color_model(**options), tmp_path / "two.onnx")
    timing = ["--batches", "1,4", "--rounds", "1", "--seconds", "0.01"]
    with pytest.raises(SystemExit) as end:
        main(["bench", str(file), "--runtimes", "onnxruntime", *timing])
    assert not end.value.code
    printed = capfd.readouterr().out
    assert "two.onnx insists on 2 pictures at a time" in printed
    assert printed.count(", 2 pictures\n") == 1
    assert "left out" not in printed


def test_the_command_compares_a_model_file(file, tmp_path, capfd):
    pytest.importorskip("onnxruntime")
    out = tmp_path / "rows.jsonl"
    options = ["--batches", "1,2", "--rounds", "1", "--seconds", "0.01", "--out", str(out)]
    with pytest.raises(SystemExit) as end:
        main(["bench", str(file), "--runtimes", "onnxruntime,openvino", *options])
    assert not end.value.code
    printed = capfd.readouterr().out
    assert "colors, 1 picture\n" in printed
    assert "colors, 2 pictures\n" in printed
    assert "geometric mean" in printed
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(row["net"], row["batch"]) for row in rows} == {("colors", 1), ("colors", 2)}
    assert all(row["cpu"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lenet"], "cannot measure 'lenet'; give nets, conv or a model file"),
        (["nets", "--runtimes", "tvm"], "no runtime 'tvm' in float32; choose from eager"),
        (["nets", "--peers", "/nowhere/python"], "there is no /nowhere/python"),
        (["nets", "--precision", "int4"], "float32, bfloat16 or int8, got 'int4'"),
        (["conv", "--precision", "int8"], "--precision int8 is for whole nets in use"),
        (["conv", "--plot", "x.svg"], "--plot is for whole nets; leave it out with conv"),
        (["nets", "--layers"], "--layers is for conv; leave it out with nets"),
        (["a.onnx", "--net", "vgg19"], "a.onnx is what is measured; leave out --net"),
        (["conv", "--layers", "--precision", "bfloat16"], "--layers times float32 only"),
        (["conv", "--batches", "0"], "--batches takes numbers like 1,8,64, got '0'"),
    ],
)
def test_mistakes_are_named(arguments, says, capfd):
    with pytest.raises(SystemExit) as end:
        main(["bench", *arguments])
    assert end.value.code == 2
    assert says in capfd.readouterr().err
