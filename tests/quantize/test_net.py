"""Whole nets: what is quantized, and that every runtime gives the same."""

import re

import numpy as np
import onnx
import pytest

from darter.errors import ModelFileError, OptionError
from darter.model import read_info, runtime_of
from darter.quantize import Settings, noise, read_float_net
from tests.quantize.nets import SIDE, info, write_net


@pytest.fixture
def net(tmp_path):
    return read_float_net(write_net(tmp_path / "net.onnx"), info(seed=3)).calibrated(pictures(32))


def pictures(count, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3, SIDE, SIDE)) + random.normal(size=(count, 3, 1, 1))
    return x.astype(np.float32)


def outputs(model, x, runtime="darter"):
    return runtime_of(model, "net", runtime=runtime).run(x)[0]


def test_all_products_sums_and_joins_run_on_integers(net):
    model = net.quantized(Settings())
    onnx.checker.check_model(model, full_check=True)
    made = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "Add", "Concat", "MaxPool", "GlobalAveragePool"):
            for name in node.input:
                assert made[name].op_type == "DequantizeLinear", f"{node.name} reads {name}"
    assert not any(node.op_type == "Relu" for node in model.graph.node), "saturation does it"
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds.values()
    assert sum(kind == onnx.TensorProto.INT8 for kind in kinds.values()) >= 7
    assert {e.key for e in model.metadata_props} >= {"darter.classes", "darter.card"}


@pytest.mark.parametrize("method", ["min-max", "percentile", "mse", "entropy"])
def test_answers_are_near_those_of_the_float_net(net, method):
    x = pictures(16, seed=1)
    assert noise(outputs(net.quantized(Settings(method)), x), outputs(net.model, x)) < 0.02


def test_onnx_runtime_gives_the_same_within_a_step(net):
    pytest.importorskip("onnxruntime")
    x, model = pictures(16, seed=1), net.quantized(Settings())
    ours, theirs = outputs(model, x), outputs(model, x, "onnxruntime")
    assert noise(ours, theirs) < 1e-3  # an integer may round another way where sums are ties


def test_moves_share_their_steps(net):
    model = net.quantized(Settings())
    by_output = {name: node for node in model.graph.node for name in node.output}
    values = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}

    def scale(tensor):
        readers = [n for n in model.graph.node if tensor in n.input]
        return float(values[readers[0].input[1]])

    for node in model.graph.node:
        if node.op_type in ("MaxPool", "Flatten", "Reshape", "Concat"):
            before = {float(values[by_output[name].input[1]]) for name in node.input[:1]}
            assert before == {scale(node.output[0])}, node.name


def test_a_layer_that_is_kept_stays_in_float(net):
    layer = net.layers[1]
    model = net.quantized(Settings(keep=frozenset([layer])))
    node = next(n for n in model.graph.node if n.name == layer)
    assert node.input[1] in {t.name for t in model.graph.initializer}
    x = pictures(16, seed=1)
    floats = outputs(net.model, x)
    all_kept = net.quantized(Settings(keep=frozenset(net.layers)))
    assert not any(n.op_type == "QuantizeLinear" for n in all_kept.graph.node)
    assert noise(outputs(all_kept, x), floats) < 1e-9
    with pytest.raises(OptionError, match="no layer is called 'nobody'; the first are"):
        net.quantized(Settings(keep=frozenset(["nobody"])))


def test_biases_make_up_for_what_rounding_moves(net):
    x = pictures(64, seed=0)
    floats = outputs(net.model, x)

    def moved(correct):
        found = outputs(net.quantized(Settings("min-max", bits=7, correct=correct)), x)
        return np.abs((found - floats).mean(axis=0)).max()

    assert moved(True) < moved(False)


def test_equalized_nets_compute_the_same(tmp_path):
    path = write_net(tmp_path / "net.onnx", seed=4)
    net = read_float_net(path, info()).calibrated(pictures(16))
    equal = net.equalized()
    changed = [
        name
        for name, array in net.graph.weights.items()
        if not np.array_equal(array, equal.graph.weights[name])
    ]
    assert changed
    x = pictures(8, seed=2)
    np.testing.assert_allclose(outputs(equal.model, x), outputs(net.model, x), atol=2e-5)


def test_a_clip_stays_where_the_range_is_wider(tmp_path):
    """Swish and its like stay in float; what is in float between products is quantized again."""
    path = write_net(tmp_path / "net.onnx", activation="Sigmoid")
    net = read_float_net(path, info()).calibrated(pictures(16))
    model = net.quantized(Settings())
    assert sum(node.op_type == "Sigmoid" for node in model.graph.node) == 4
    x = pictures(8, seed=2)
    assert noise(outputs(model, x), outputs(net.model, x)) < 0.05


def test_the_file_keeps_what_it_says_of_itself(net, tmp_path):
    path = tmp_path / "q.onnx"
    path.write_bytes(net.quantized(Settings()).SerializeToString())
    assert read_info(path) == info(seed=3)
    with pytest.raises(ModelFileError, match="quantized already; start from the float file"):
        read_float_net(path, info())


def test_pictures_that_overflow_are_a_sentence(tmp_path):
    net = read_float_net(write_net(tmp_path / "net.onnx"), info())
    x = pictures(8)
    x[3] = np.inf
    with pytest.raises(ModelFileError, match=re.escape("holds nan") + "|holds inf"):
        net.calibrated(x)
