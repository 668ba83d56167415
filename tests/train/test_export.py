import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from darter.errors import DarterError, ExportError
from darter.model import Calibration, Classify, ModelInfo, read_info
from darter.model.darter_runtime import DarterRuntime
from darter.train import export
from darter.train.export import MOST_COMPARED, compare, spread_out
from darter.train.written import to_onnx
from tests.train.tiny import SIZE, tiny_model


@pytest.fixture
def info(problem):
    return ModelInfo(("a", "b", "c"), problem.preprocess, Calibration(1.5, 0.2), {"seed": 3})


@pytest.mark.parametrize("layers", ["last", "all"])
def test_exported_file_is_whole_and_equal(tmp_path, problem, info, layers):
    path = tmp_path / "model.onnx"
    parity = export(tiny_model(layers=layers), path, info, problem.val.pictures)
    assert parity.passed and parity.pictures == 12 and parity.different_labels == 0
    assert 0 < parity.max_probability_difference < 1e-5
    assert parity.to_json()["limit"] == parity.limit
    assert parity.runtimes == ("darter", "onnxruntime"), "first what predict runs it on"
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"], "no weights beside it"
    assert read_info(path) == info
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert [opset.version for opset in proto.opset_import if not opset.domain] == [18]
    (images,), (logits,) = proto.graph.input, proto.graph.output
    assert (images.name, logits.name) == ("images", "logits")
    assert _shape(images)[1:] == [3, SIZE, SIZE] and isinstance(_shape(images)[0], str)
    assert _shape(logits)[1] == 3


def _shape(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def test_no_weight_is_stored_twice():
    model = tiny_model()
    weights = to_onnx(model, SIZE).graph.initializer
    stored = sum(numpy_helper.to_array(tensor).size for tensor in weights)
    assert stored <= sum(value.numel() for value in model.state_dict().values()) + 20


def break_export(monkeypatch, break_it):
    def broken(model, size, outputs):
        proto = to_onnx(model, size, outputs)
        break_it(proto)
        return proto

    monkeypatch.setattr(sys.modules["darter.train.export"], "to_onnx", broken)


def shift_bias(proto):
    bias = next(t for t in proto.graph.initializer if list(t.dims) == [3])
    values = numpy_helper.to_array(bias) + np.array([0, 0.5, 0], np.float32)
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))


def test_a_broken_export_fails_and_leaves_no_file(tmp_path, problem, info, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"of an older run")
    break_export(monkeypatch, shift_bias)
    message = r"model.onnx was not written: .* On 12 pictures the largest difference of a prob"
    with pytest.raises(ExportError, match=message):
        export(tiny_model(), path, info, problem.val.pictures)
    assert list(tmp_path.iterdir()) == []


def test_a_difference_in_labels_alone_fails(tmp_path, problem, info, monkeypatch):
    break_export(monkeypatch, shift_bias)
    with pytest.raises(ExportError, match=r"and [1-9]\d* labels differ"):
        export(tiny_model(), tmp_path / "model.onnx", info, problem.val.pictures, limit=1.0)


def test_an_engine_that_answers_otherwise_fails_the_proof(tmp_path, problem, info, monkeypatch):
    """The proof is against the engine that `predict` uses: a defect of it stops the export."""
    run = DarterRuntime.run
    monkeypatch.setattr(DarterRuntime, "run", lambda self, x: [run(self, x)[0] * 1.5])
    with pytest.raises(ExportError, match="its answers differ"):
        export(tiny_model(), tmp_path / "model.onnx", info, problem.val.pictures)
    assert list(tmp_path.iterdir()) == []


def test_the_proof_does_without_onnx_runtime(problem, info, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = tiny_model()
    proto = to_onnx(model, SIZE)
    found = compare(model, proto.SerializeToString(), info, problem.val.pictures)
    assert found.passed and found.runtimes == ("darter",)


def test_answers_that_are_no_numbers_are_never_proven(tmp_path, problem, info):
    model = tiny_model()
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(DarterError, match="NaN"):
        export(model, tmp_path / "model.onnx", info, problem.val.pictures)
    assert list(tmp_path.iterdir()) == []


def test_of_many_pictures_some_of_each_part_of_the_list_are_compared(tmp_path, problem, info):
    assert spread_out(range(9), 5) == [0, 2, 4, 6, 8] and spread_out(range(3), 5) == [0, 1, 2]
    many = [*problem.val.pictures] * 30
    found = export(tiny_model(), tmp_path / "model.onnx", info, many)
    assert found.pictures == MOST_COMPARED < len(many)


def test_parity_needs_pictures(info):
    model = tiny_model()
    content = to_onnx(model, SIZE).SerializeToString()
    with pytest.raises(ExportError, match="at least one picture"):
        compare(model, content, info, [])


def test_training_mode_and_memory_order_do_not_leak_in(tmp_path, problem, info):
    model = tiny_model().train()
    model.dropout.p = 0.9
    assert export(model, tmp_path / "model.onnx", info, problem.val.pictures).passed
    assert model.training, "the caller's model stays as it was"


def test_calibration_is_of_these_logits():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    logits = (random.normal(size=(400, 3)) + 2 * np.eye(3)[labels]) * 5
    found = Classify().calibrate(logits, labels)
    assert 2.2 < found.temperature < 2.8, "the honest logits are 2 / 5 of these"
    shares = np.exp(logits / found.temperature)
    shares /= shares.sum(axis=1, keepdims=True)
    right = shares.argmax(axis=1) == labels
    kept = (shares.max(axis=1)[right] >= found.unknown_below).mean()
    assert 0.98 <= kept < 0.995
