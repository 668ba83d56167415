"""Tiny ONNX classifiers whose answer can be worked out by hand."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from darter.model import Calibration, ModelInfo, write_info
from darter.picture import Preprocess

COLORS = ("red", "green", "blue")
PLAIN = Preprocess(size=8, resize=8, mean=(0, 0, 0), std=(1, 1, 1))


def color_model(
    *,
    inputs=("n", 3, 8, 8),
    outputs=("n", 3),
    scale=10.0,
    tail=(),
    dtype=TensorProto.FLOAT,
) -> onnx.ModelProto:
    """Logits are `scale` times the mean of red, green and blue; `tail` ops come last."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    if inputs[-1] == 3:
        nodes[0].input[0] = "channels first"
        turn = helper.make_node("Transpose", ["images"], ["channels first"], perm=[0, 3, 1, 2])
        nodes.insert(0, turn)
    last = "scores"
    for number, op in enumerate(tail):
        nodes.append(helper.make_node(op, [last], [f"tail{number}"]))
        last = f"tail{number}"
    weights = numpy_helper.from_array((np.eye(3) * scale).astype(kind), "weights")
    graph = helper.make_graph(
        nodes,
        "colors",
        [helper.make_tensor_value_info("images", dtype, inputs)],
        [helper.make_tensor_value_info(last, dtype, outputs)],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def save(model: onnx.ModelProto, path: Path, info: ModelInfo | None = None) -> Path:
    if info is not None:
        write_info(model, info)
    path.write_bytes(model.SerializeToString())
    return path


def darter_model(path: Path, *, unknown_below=0.0, temperature=1.0, card=None, **options) -> Path:
    """A color model as darter writes it."""
    calibration = Calibration(temperature, unknown_below)
    info = ModelInfo(COLORS, PLAIN, calibration, card or {"seed": 7})
    return save(color_model(**options), path, info)


def picture(path: Path, color, size=(20, 12)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path
