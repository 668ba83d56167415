"""A model in several precisions on the same pictures: the table, the command, what is counted."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from darter.errors import DataError, ModelFileError
from darter.model import load, write_info
from darter.quantize import bit_operations, compare_precisions, gather, read_float_net
from darter.quantize.net import Settings
from darter.quantize.pictures import calibrating
from tests.quantize.nets import CLASSES, SIDE, info, residual_net, write_net, write_pictures

MULTIPLY_ADDS = (
    8 * 3 * 9 * 64 + 8 * 9 * 16 + 8 * 8 * 16 + 4 * 8 * 16 + 6 * 8 * 9 * 16 + 12 * 10 * 16 + 4 * 12
)  # of the residual net, layer by layer


@pytest.fixture
def model(tmp_path):
    return write_net(tmp_path / "net.onnx")


@pytest.fixture
def photos(tmp_path):
    """Labels are drawn, so that every model is wrong at times."""
    return write_pictures(tmp_path / "photos", 80, label=lambda k: CLASSES[k * 7 % 4])


def quantized(model, folder, keep=()):
    x = np.random.default_rng(0).normal(size=(8, 3, SIDE, SIDE)).astype(np.float32)
    net = read_float_net(model, info()).calibrated(x)
    path = folder / "int8.onnx"
    path.write_bytes(net.quantized(Settings(keep=frozenset(keep))).SerializeToString())
    return path, net.layers


def binary_net(path, filters=4):
    """Filters of ±2 on the signs of the picture, then their means as scores."""
    w = np.where(np.random.default_rng(0).random((filters, 3, 3, 3)) < 0.5, -2, 2).astype(
        np.float32
    )
    constants = {"zero": np.float32(0), "one": np.float32(1), "less": np.float32(-1), "w": w}
    nodes = [
        helper.make_node("GreaterOrEqual", ["images", "zero"], ["above"]),
        helper.make_node("Where", ["above", "one", "less"], ["signs"]),
        helper.make_node("Conv", ["signs", "w"], ["maps"], name="maps"),
        helper.make_node("GlobalAveragePool", ["maps"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "net",
        [value("images", onnx.TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [value("logits", onnx.TensorProto.FLOAT, ["n", filters])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    names = CLASSES if filters == 4 else tuple(map(str, range(filters)))
    write_info(net, replace(info(), classes=names))
    path.write_bytes(net.SerializeToString())
    return path


def test_bit_operations_are_multiply_adds_times_the_bits_of_both_factors(model, tmp_path):
    assert bit_operations(model) == MULTIPLY_ADDS * 32 * 32
    assert bit_operations(model, "bfloat16") == MULTIPLY_ADDS * 16 * 16
    whole, layers = quantized(model, tmp_path)
    assert bit_operations(whole) == MULTIPLY_ADDS * 8 * 8
    mixed, _ = quantized(model, tmp_path, keep=layers[-1:])
    assert bit_operations(mixed) == (MULTIPLY_ADDS - 48) * 64 + 48 * 1024
    signs = binary_net(tmp_path / "signs.onnx")
    assert bit_operations(signs) == 4 * 27 * (SIDE - 2) ** 2
    large = binary_net(tmp_path / "large.onnx", 999)  # weights that stay in the file
    assert bit_operations(large) == 999 * 27 * (SIDE - 2) ** 2


def test_every_form_is_held_against_float32_on_the_same_pictures(model, photos):
    seen = []
    record = compare_precisions(
        load(model, runtime="darter"), model, photos, progress=lambda *step: seen.append(step)
    )
    first, half, integers = record["forms"]
    assert [each["name"] for each in record["forms"]] == ["float32", "bfloat16", "int8"]
    assert first["difference"] is None and record["measure"] == "accuracy"
    assert record["n"] == len(gather(photos, info()).test)
    for each in (half, integers):
        points = each["difference"]["points"]
        assert points == pytest.approx(100 * (each["score"] - first["score"]), abs=1e-6)
        low, high = each["difference"]["points_interval"]
        assert low <= points <= high and each["ms"] > 0
    assert half["bytes"] == first["bytes"] == model.stat().st_size
    assert record["int8"]["layers"] == 7 and record["int8"]["calibrated_by"] == 15
    assert seen[-1] == (3 * record["n"], 3 * record["n"])


def test_classes_of_another_file_are_put_in_order(model, photos, tmp_path):
    net = residual_net()
    order = [2, 0, 3, 1]
    for tensor in net.graph.initializer:
        if tensor.name.startswith("fc."):
            array = numpy_helper.to_array(tensor)[order]
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    known = info()
    write_info(net, type(known)(tuple(CLASSES[k] for k in order), known.preprocess))
    turned = tmp_path / "turned.onnx"
    turned.write_bytes(net.SerializeToString())
    session = load(model, runtime="darter")
    record = compare_precisions(session, model, photos, others=[turned], formats=())
    assert record["forms"][1]["difference"]["agreement"] == 1
    write_info(net, type(known)(("a", "b", "c", "other"), known.preprocess))
    turned.write_bytes(net.SerializeToString())
    with pytest.raises(ModelFileError, match="only one of them knows 'd'"):
        compare_precisions(session, model, photos, others=[turned], formats=())


def test_pictures_that_calibrate_do_not_judge(model, photos, tmp_path):
    copies = write_pictures(tmp_path / "more", 60, label=lambda k: CLASSES[k % 4])
    extra = write_pictures(tmp_path / "fresh", 40, seed=5, label=lambda k: CLASSES[k % 4])
    judges = gather(photos, info()).test  # the same bytes lie in `copies`, below other labels
    found = calibrating(copies, info(), judges)
    judged = {info().preprocess(s.path).tobytes() for s in judges}
    used = [*found.calibrate, *found.held, *found.choose]
    assert not judged & {x.tobytes() for x in used} and "left out" in found.notes[0]
    session = load(model, runtime="darter")
    record = compare_precisions(session, model, photos, calibrate=extra, formats=["int8"])
    assert record["n"] == 80 and record["int8"]["calibrated_by"] > 12
    with pytest.raises(DataError, match="too few"):
        compare_precisions(session, model, photos, calibrate=photos)


def test_a_flat_folder_is_divided_so_that_those_that_choose_do_not_judge(photos):
    found = gather(photos, info())
    tests = {info().preprocess(s.path).tobytes() for s in found.test}
    assert len(tests) == len(found.test) >= 40
    assert not tests & {x.tobytes() for x in (*found.calibrate, *found.held, *found.choose)}


def test_the_command(model, photos, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "darter", "precision", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    page = tmp_path / "page.html"
    signs = binary_net(tmp_path / "signs.onnx")
    done = run(model, photos, "--with", signs, "--html", page)
    assert done.returncode == 0, done.stderr
    for word in ("float32", "bfloat16", "int8", "signs.onnx", "difference, points", "Written: "):
        assert word in done.stdout
    assert "make 8 bits and have no part in the measure" in done.stderr
    text = page.read_text()
    assert text.count('class="chart"') == 2 and "signs.onnx" in text and "https" not in text
    plain = write_pictures(tmp_path / "plain", 40)
    done = run(model, plain, "--json", "--in", "bfloat16", "-q")
    record = json.loads(done.stdout)
    assert done.stderr == "" and record["n"] == 40
    assert [each["score"] for each in record["forms"]] == [None, None]
    for arguments, said in [
        ((model,), "darter precision"),
        ((model, photos, "--in", "int4"), "precisions are bfloat16 and int8; got 'int4'"),
        ((model, photos, "--with", tmp_path / "none.onnx"), "no such file"),
        ((model, tmp_path / "nowhere"), "no such folder"),
    ]:
        done = run(*arguments)
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
