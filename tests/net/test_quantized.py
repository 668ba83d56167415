"""Quantized nets as ONNX Runtime's own quantizer writes them, against ONNX Runtime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from darter.errors import ModelFileError, ShapeError, UnsupportedError
from darter.model import runtime_of
from tests.fuzz import nets

RNG = np.random.default_rng(0)
SHAPE = (3, nets.SIDE, nets.SIDE)


class Pictures(CalibrationDataReader):
    def __init__(self):
        draws = np.random.default_rng(1)
        self.left = [draws.standard_normal((4, *SHAPE)).astype(np.float32) for _ in range(4)]

    def get_next(self):
        return {"x": self.left.pop()} if self.left else None


def residual_net(seed: int) -> onnx.ModelProto:
    """Convolutions of all kinds, pools, a join, a sum, a classifier; weights drawn by the seed."""
    b = nets.Builder()
    b.draw = np.random.default_rng(seed)
    scaled = lambda *shape: b.random(*shape) / np.sqrt(np.prod(shape[1:]))  # noqa: E731
    x = b("Relu", b("Conv", "x", scaled(8, 3, 3, 3), b.random(8), pads=[1] * 4, strides=[2, 2]))
    a = b("Conv", x, scaled(8, 1, 3, 3), b.random(8), pads=[1] * 4, group=8)
    a = b("Conv", b("Clip", a, 0.0, 6.0), scaled(8, 8, 1, 1))
    x = b("Relu", b("Add", x, a)) if seed % 2 else b("Add", x, b("Sigmoid", a))
    x = b("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    c = b("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4)
    x = b("Concat", x, b("Conv", c, scaled(20, 8, 3, 3), b.random(20), pads=[1] * 4), axis=1)
    x = b("Flatten", b("GlobalAveragePool", b("Relu", x)))
    return b.model(b("Gemm", x, scaled(5, 28), b.random(5), transB=1), batch="n")


def quantized(seed: int, folder, **options) -> onnx.ModelProto:
    onnx.save(residual_net(seed), folder / "float.onnx")
    quantize_static(folder / "float.onnx", folder / "int8.onnx", Pictures(), **options)
    return onnx.load(folder / "int8.onnx")


def elsewhere(model, x):
    """Without fusions, so that each node is what the file says."""
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]


def last_step(model) -> float:
    """The largest scale of the file's last quantized tensors."""
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    scales = [v for name, v in values.items() if name.startswith("gemm") and "scale" in name]
    return max(float(np.max(each)) for each in scales)


KINDS = [
    {"quant_format": form, "per_channel": channels, "activation_type": kind, "weight_type": w}
    for form in (QuantFormat.QDQ, QuantFormat.QOperator)
    for channels in (False, True)
    for kind, w in (
        (QuantType.QUInt8, QuantType.QInt8),
        (QuantType.QInt8, QuantType.QInt8),
        (QuantType.QUInt8, QuantType.QUInt8),
    )
    if not (channels and w == QuantType.QUInt8)
]


@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(str(v) for v in o.values()))
@pytest.mark.parametrize("seed", [1, 2])
def test_files_of_onnx_runtime_give_its_answers_within_a_step(seed, options, tmp_path):
    model = quantized(seed, tmp_path, **options)
    x = np.random.default_rng(5).standard_normal((6, *SHAPE)).astype(np.float32)
    (ours,) = runtime_of(model, "a net", runtime="darter").run(x)
    theirs = elsewhere(model, x)
    assert np.abs(theirs).max() > 20 * last_step(model)  # something to be wrong about
    off = np.abs(ours - theirs) / last_step(model)
    assert off.max() <= 1.01
    assert (off > 0.5).mean() < 0.2


def one_node(node, weights, opset=19):
    graph = helper.make_graph(
        [node, helper.make_node("DequantizeLinear", ["q", "one", "zero"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *SHAPE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", *SHAPE))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("axis", [None, 1])
def test_rounding_and_saturation_are_onnx_s(kind, axis):
    """Ties to even, both ends, and scales per channel."""
    scale = np.float32(0.5) if axis is None else np.array([0.5, 0.25, 2], np.float32)
    zero = np.full(np.shape(scale), 3, kind)
    weights = {"s": np.asarray(scale), "z": zero, "one": np.float32(1), "zero": kind(0)}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1)
    model = one_node(node, {k: np.asarray(v) for k, v in weights.items()})
    x = RNG.integers(-1400, 1400, (4, *SHAPE)).astype(np.float32) / 8
    (ours,) = runtime_of(model, "a net", runtime="darter").run(x)
    np.testing.assert_array_equal(ours, elsewhere(model, x))
    limits = np.iinfo(kind)
    assert (ours.min(), ours.max()) == (limits.min, limits.max)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"s": np.float32(0)}, "scales must be above 0"),
        ({"s": np.float32(np.nan)}, "scales must be above 0"),
        ({"s": np.ones((1, 1), np.float32)}, "must be a scale, or one per channel"),
        ({"s": np.ones(7, np.float32)}, "do not fit together"),
        ({"z": np.uint16(3)}, "only integers of 8 bits"),
        ({"z": np.float32(3)}, "must be a whole number"),
    ],
)
def test_impossible_scales_are_sentences(weights, message):
    usual = {"s": np.float32(1), "z": np.uint8(0), "one": np.float32(1), "zero": np.uint8(0)}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    model = one_node(node, {k: np.asarray(v) for k, v in (usual | weights).items()})
    with pytest.raises((ModelFileError, UnsupportedError, ShapeError), match=message):
        runtime_of(model, "a net", runtime="darter").run(np.zeros((1, *SHAPE), np.float32))
