"""A small residual CNN with random weights, and pictures whose answers differ."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from darter.model import ModelInfo, write_info
from darter.picture import Preprocess

SIDE, CLASSES = 16, ("a", "b", "c", "d")


def residual_net(seed: int = 0, activation: str = "Relu") -> onnx.ModelProto:
    """conv, pool, (depthwise, conv, + shortcut), join, global mean, gemm: of all kinds one."""
    random = np.random.default_rng(seed)
    weights, nodes = {}, []

    def constant(name, *shape, scale=None):
        scale = scale or (2 / np.prod(shape[1:])) ** 0.5
        weights[name] = random.normal(0, scale, shape).astype(np.float32)
        return name

    def conv(x, y, k, c, r, **attributes):
        w, b = constant(f"{y}.w", k, c, r, r), constant(f"{y}.b", k, scale=0.2)
        pads = [r // 2] * 4
        nodes.append(helper.make_node("Conv", [x, w, b], [y], name=y, pads=pads, **attributes))

    def plain(op, inputs, y, **attributes):
        nodes.append(helper.make_node(op, inputs, [y], name=y, **attributes))

    conv("images", "stem", 8, 3, 3, strides=[2, 2])
    plain(activation, ["stem"], "bent")
    plain("MaxPool", ["bent"], "pooled", kernel_shape=[2, 2], strides=[2, 2])
    conv("pooled", "deep", 8, 1, 3, group=8)
    plain(activation, ["deep"], "deeper")
    conv("deeper", "wide", 8, 8, 1)
    plain("Add", ["wide", "pooled"], "sum")
    plain(activation, ["sum"], "block")
    conv("block", "left", 4, 8, 1)
    conv("block", "right", 6, 8, 3)
    plain("Concat", ["left", "right"], "both", axis=1)
    conv("both", "last", 12, 10, 1)
    plain(activation, ["last"], "top")
    plain("GlobalAveragePool", ["top"], "mean")
    plain("Flatten", ["mean"], "flat")
    constant("fc.w", len(CLASSES), 12)
    constant("fc.b", len(CLASSES), scale=0.1)
    plain("Gemm", ["flat", "fc.w", "fc.b"], "logits", transB=1)
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(CLASSES)])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def info(**card) -> ModelInfo:
    look = Preprocess(size=SIDE, resize=SIDE, mean=(0.5,) * 3, std=(0.5,) * 3)
    return ModelInfo(CLASSES, look, card=card)


def write_net(path: Path, seed: int = 0, activation: str = "Relu") -> Path:
    """A file as darter writes it."""
    model = residual_net(seed, activation)
    write_info(model, info(data={"name": "made up"}))
    path.write_bytes(model.SerializeToString())
    return path


def write_pictures(folder: Path, count: int, seed: int = 0, label=None) -> Path:
    """Pictures of random colors and stripes; label(number) names the folder of each."""
    random = np.random.default_rng(seed)
    for number in range(count):
        pixels = random.integers(0, 256, (1, 1, 3)) + random.normal(0, 40, (SIDE, SIDE, 3))
        pixels[:: 1 + number % 5] *= 0.4
        here = folder if label is None else folder / label(number)
        here.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(here / f"{number:03}.png")
    return folder
