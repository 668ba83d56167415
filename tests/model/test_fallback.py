"""What ONNX Runtime is not given by itself, and answers that are no numbers."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import darter
from darter.errors import ModelFileError, UnsupportedError
from darter.names import to_json
from tests.tiny_models import COLORS, color_model, save


def with_node(*nodes, weights=()):
    """A classifier whose scores go through more nodes, "scores" to "y"."""
    model = color_model()
    last = model.graph.node[-1]
    last.output[0] = "scores"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in weights)
    model.graph.output[0].name = nodes[-1].output[0]
    return model


def test_a_loop_is_not_run_unless_asked_for(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["a"], ["b"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", 1, None),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", 1, None),
        ],
    )
    loop = helper.make_node("Loop", ["n", "go", "scores"], ["y"], body=body)
    constants = [("n", np.array(3)), ("go", np.array(True))]
    path = save(with_node(loop, weights=constants), tmp_path / "loop.onnx")
    with pytest.raises(
        UnsupportedError, match=r"loops or branches \(Loop\).*--runtime onnxruntime"
    ):
        darter.load(path)
    assert darter.load(path, runtime="onnxruntime").runtime == "onnxruntime"


def test_tensors_beyond_all_memory_are_not_made_unless_asked_for(tmp_path):
    nodes = (
        helper.make_node("Reshape", ["scores", "flat"], ["a"]),
        helper.make_node("Expand", ["a", "huge"], ["b"]),
        helper.make_node("Sin", ["b"], ["c"]),
        helper.make_node("ReduceMean", ["c"], ["y"], axes=[1], keepdims=0),
    )
    sizes = [("flat", np.array([1, 1, 3])), ("huge", np.array([1, 2**31, 3]))]
    path = save(with_node(*nodes, weights=sizes), tmp_path / "expand.onnx")
    with pytest.raises((UnsupportedError, ModelFileError)):
        darter.load(path)


def test_a_harmless_unknown_operation_still_runs_there(tmp_path):
    path = save(with_node(helper.make_node("Sin", ["scores"], ["y"])), tmp_path / "sin.onnx")
    with pytest.warns(RuntimeWarning, match="runs on ONNX Runtime instead"):
        session = darter.load(path)
    assert session.runtime == "onnxruntime"


def test_weights_that_are_no_numbers_are_an_error(tmp_path):
    model = color_model()
    first = model.graph.initializer[0]
    array = np.array(numpy_helper.to_array(first))
    array.flat[0] = np.nan
    first.CopyFrom(numpy_helper.from_array(array, first.name))
    session = darter.load(save(model, tmp_path / "nan.onnx"), runtime="darter")
    with pytest.raises(ModelFileError, match="hold NaN"):
        session([np.zeros((8, 8, 3), np.uint8)])
    other = darter.load(tmp_path / "nan.onnx", runtime="onnxruntime")
    (answer,) = other([np.zeros((8, 8, 3), np.uint8)])
    assert answer.label is None and "no numbers" in answer.error


def test_json_has_no_numbers_that_json_has_not():
    text = to_json({"a": [float("nan"), 1.5, (np.inf, None)], "b": "é"})
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [None, 1.5, [None, None]],
        "b": "é",
    }


def test_onnx_runtime_writes_no_files_of_its_own(tmp_path):
    path, home = save(color_model(), tmp_path / "m.onnx"), tmp_path / "home"
    home.mkdir()
    code = f"import darter; darter.load({str(path)!r}, runtime='onnxruntime')"
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"), str(home))
    mine = {name: text for name, text in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=mine | places, check=True)
    assert list(home.rglob("*")) == []


def test_a_row_of_scores_for_each_picture_or_an_error(tmp_path):
    model = color_model(outputs=(None, None))
    model.graph.node[-1].output[0] = "scores"
    cut = helper.make_node("Slice", ["scores", "none", "none"], ["tail"])
    model.graph.node.append(cut)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "none"))
    model.graph.output[0].name = "tail"
    path = save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelFileError):
        darter.load(path, runtime="onnxruntime", classes=COLORS)([np.zeros((8, 8, 3), np.uint8)])
