"""The same nets in every version of ONNX's operations that is read, against ONNX Runtime."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from darter.errors import UnsupportedError
from darter.net.onnx.reader import OLDEST_OPSET
from tests.net.onnx_nets import N, check, graph_of, net

OPSETS = range(OLDEST_OPSET, 24)
RNG = np.random.default_rng(0)


class Many(torch.nn.Module):
    """What exporters wrote differently over the years."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.drop = torch.nn.Dropout(0.5)
        self.slope = torch.nn.PReLU(8)
        self.last = torch.nn.Linear(16 * 2, 5)
        for tensor in (*self.parameters(), self.norm.running_mean):
            torch.nn.init.normal_(tensor, std=0.3)

    def forward(self, x):
        x = torch.clamp(self.norm(self.first(x)), -1, 1.5)
        x = torch.nn.functional.pad(x, (1, 2, 0, 1), value=0.25)
        x = torch.cat((x[:, 2:6, 1:-1], x[:, 4:, 1:-1]), 1)
        a, b = self.slope(x).split([3, 5], 1)
        x = torch.cat((b, a.mean((2, 3), keepdim=True).expand_as(a), x.max(1, keepdim=True)[0]), 1)
        x = torch.nn.functional.leaky_relu(self.drop(x))
        x = torch.cat((x[:, :8], x[:, 1:]), 1).sum(3, keepdim=True).squeeze(3).unsqueeze(2)
        x = torch.nn.functional.avg_pool2d(x.permute(0, 1, 3, 2), (4, 1), ceil_mode=True)
        return torch.softmax(self.last(x.reshape(x.size(0), -1)), 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("opset", [8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 20])
def test_a_net_as_pytorch_wrote_it(opset, tmp_path):
    torch.manual_seed(0)
    module, x = Many().eval(), torch.randn(1, 3, 7, 9)
    file = tmp_path / "net.onnx"
    with torch.no_grad(), warnings.catch_warnings():
        module(x)
        torch.onnx.export(
            module, (x,), file, opset_version=opset, dynamo=False,
            input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip
    check(onnx.load(file), 3, 7, 9)


def by_version(opset: int, name: str):
    """A net with one operation in the form of that version."""
    if name == "Slice":
        bounds = {"starts": [1, -7], "ends": [2**31 - 1, -1], "axes": [1, 3]}
        if opset < 10:
            return net([N("Slice", ["x"], ["y"], **bounds)], {}, opset=opset)
        return net(
            [N("Slice", ["x", *bounds], ["y"])],
            {key: np.array(value, np.int64) for key, value in bounds.items()},
            opset=opset,
        )
    if name == "Pad":
        pads = [0, 0, 1, 2, 0, 0, 3, 0]
        if opset < 11:
            return net([N("Pad", ["x"], ["y"], pads=pads, value=1.5)], {}, opset=opset)
        weights = {"p": np.array(pads, np.int64), "v": np.array(1.5, np.float32)}
        return net([N("Pad", ["x", "p", "v"], ["y"])], weights, opset=opset)
    if name == "Clip":
        if opset < 11:
            return net([N("Clip", ["x"], ["y"], max=0.5)], {}, opset=opset)
        return net([N("Clip", ["x", "", "m"], ["y"])], {"m": np.float32(0.5)}, opset=opset)
    if name in ("nearest", "linear"):
        scales = np.array([1, 1, 2, 3], np.float32)
        if opset < 9:
            nodes = [N("Upsample", ["x"], ["y"], scales=scales.tolist(), mode=name)]
            return net(nodes, {}, opset=opset)
        op = "Upsample" if opset < 10 else "Resize"
        if opset < 11:
            return net([N(op, ["x", "s"], ["y"], mode=name)], {"s": scales}, opset=opset)
        weights = {"roi": np.zeros(8, np.float32), "s": scales}
        return net([N(op, ["x", "roi", "s"], ["y"], mode=name)], weights, opset=opset)
    if name == "BatchNormalization":
        values = {k: RNG.random(3).astype(np.float32) + 0.5 for k in ("s", "b", "m", "v")}
        return net([N(name, ["x", *values], ["y"])], values, opset=opset)
    if name == "Dropout":
        ratio = {"ratio": 0.4} if opset < 12 else {}
        return net([N(name, ["x"], ["y", "mask"], **ratio)], {}, opset=opset)
    if name == "Gemm":
        weights = {"w": RNG.random((5, 216), np.float32), "c": RNG.random(5).astype(np.float32)}
        nodes = [N("Flatten", ["x"], ["f"]), N(name, ["f", "w", "c"], ["y"], transB=1, alpha=0.5)]
        return net(nodes, weights, opset=opset)
    if name == "Squeeze":
        axes = {"a": np.array([2], np.int64)}
        mean = N("MaxPool", ["x"], ["m"], kernel_shape=[9, 1])
        if opset < 13:
            return net([mean, N(name, ["m"], ["y"], axes=[2])], {}, opset=opset)
        return net([mean, N(name, ["m", "a"], ["y"])], axes, opset=opset)
    if name == "Split":
        if opset < 13:
            return net(
                [N(name, ["x"], ["y", "z"], axis=2, split=[4, 5])],
                {},
                opset=opset,
                outputs=("z", "y"),
            )
        return net(
            [N(name, ["x", "s"], ["y", "z"], axis=2)],
            {"s": np.array([4, 5], np.int64)}, opset=opset, outputs=("z", "y"),
        )  # fmt: skip
    if name == "Softmax":  # over all axes from 1 on, before version 13
        return net([N(name, ["x"], ["y"], axis=1)], {}, opset=opset)
    assert name == "ReduceMean"
    if opset < 18:
        return net([N(name, ["x"], ["y"], axes=[2, 3], keepdims=0)], {}, opset=opset)
    return net(
        [N(name, ["x", "a"], ["y"], keepdims=0)], {"a": np.array([2, 3], np.int64)}, opset=opset
    )


FORMS = (
    *("Slice", "Pad", "Clip", "nearest", "linear", "BatchNormalization", "Dropout", "Gemm"),
    *("Squeeze", "Split", "Softmax", "ReduceMean"),
)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", FORMS)
def test_each_form_of_an_operation(name, opset):
    check(by_version(opset, name), 3, 9, 8)


@pytest.mark.parametrize("scales", [(0.6, 0.4), (1.5, 1.3), (0.5, 1.0)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_the_first_resize_shrinks_and_grows(scales, mode):
    nodes = [N("Resize", ["x", "s"], ["y"], mode=mode)]
    check(net(nodes, {"s": np.array([1, 1, *scales], np.float32)}, opset=10), 3, 9, 8)


def test_constants_in_the_old_forms_fold():
    nodes = [
        N(
            "Constant",
            [],
            ["c"],
            value=helper.make_tensor("c", TensorProto.FLOAT, [4], [1, -2, 3, 4]),
        ),
        N("Slice", ["c"], ["three"], starts=[1], ends=[4]),
        N("Clip", ["three"], ["clipped"], min=0.0, max=3.5),
        N("Unsqueeze", ["clipped"], ["column"], axes=[1, 2]),
        N("Mul", ["x", "column"], ["y"]),
    ]
    check(net(nodes, {}, opset=9), 3, 9, 8)


def test_older_ones_are_refused():
    with pytest.raises(UnsupportedError, match="of version 6; darter reads 8 and newer"):
        graph_of(net([N("Relu", ["x"], ["y"])], {}, opset=6), np.zeros((1, 3, 9, 8)))
