"""Small classifiers that together use every operation that darter reads."""

from functools import cache

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from darter.model import Calibration, ModelInfo, write_info
from darter.picture import Preprocess

SIDE = 16


class Builder:
    """Nodes after each other; each call returns the name of what the node makes."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.weights: list = []
        self.draw = np.random.default_rng(0)

    def __call__(self, op: str, *inputs, outputs: int = 1, **attributes):
        names = [f"{op.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        inputs = [each if isinstance(each, str) else self.weight(each) for each in inputs]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def weight(self, value) -> str:
        name = f"w{len(self.weights)}"
        array = np.asarray(value)
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        self.weights.append(numpy_helper.from_array(array.astype(kind), name))
        return name

    def random(self, *shape):
        return self.draw.standard_normal(shape)

    def conv(self, x: str, k: int, c: int, r: int = 3, **attributes) -> str:
        return self("Conv", x, self.random(k, c // attributes.get("group", 1), r, r),
                    self.random(k), **attributes)  # fmt: skip

    def model(self, last: str, opset: int = 18, batch="n") -> ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, 3, SIDE, SIDE))],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, (batch, 5))],
            self.weights,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )


def plain() -> ModelProto:
    """Convolutions of all kinds, batch normalization, pools, a residual sum, a classifier."""
    b = Builder()
    x = b.conv("x", 8, 3, pads=[1, 1, 1, 1], strides=[2, 2])
    norm = [b.random(8), b.random(8), b.random(8), b.draw.uniform(0.5, 2, 8)]
    x = b("Relu", b("BatchNormalization", x, *norm))
    y = b.conv(x, 8, 8, group=8, auto_pad="SAME_UPPER")
    y = b("Clip", b.conv(y, 8, 8, 1), np.float32(0), np.float32(6))
    x = b("Add", x, y)
    x = b("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
    x = b("LRN", x, size=3)
    x = b("AveragePool", x, kernel_shape=[2, 2], count_include_pad=1, pads=[1, 0, 0, 1])
    x = b("LeakyRelu", b("Pad", x, [0, 0, 1, 1, 0, 0, 1, 1]), alpha=0.1)
    x = b("Dropout", b("Flatten", b("GlobalAveragePool", b.conv(x, 6, 8, dilations=[2, 1]))))
    return b.model(b("Gemm", x, b.random(5, 6), b.random(5), transB=1))


def gated() -> ModelProto:
    """Squeeze and excite, gates, split and concat, channel shuffle, shape arithmetic."""
    b = Builder()
    x = b.conv("x", 8, 3, pads=[1, 1, 1, 1], strides=[2, 2])
    x = b("Mul", x, b("Sigmoid", x))
    s = b("HardSigmoid", b.conv(b("ReduceMean", x, [2, 3]), 8, 8, 1), alpha=1 / 6)
    x = b("Mul", x, s)
    left, right = b("Split", x, [4, 4], axis=1, outputs=2)
    right = b("HardSwish", b("PRelu", right, b.random(4, 1, 1)))
    x = b("Concat", left, right, axis=1)
    x = b("Reshape", x, [0, 2, 4, 8, 8])
    x = b("Reshape", b("Transpose", x, perm=[0, 2, 1, 3, 4]), [0, -1, 8, 8])
    x = b("Slice", x, [0], [6], [1], [1])
    x = b("Resize", x, "", [1.0, 1.0, 2.0, 2.0], mode="linear")
    x = b("Sub", b("Div", x, np.float32(3)), b.random(6, 1, 1))
    shape = b("Gather", b("Shape", x), np.array([0]))
    x = b("Reshape", b("GlobalAveragePool", x), b("Concat", shape, [-1], axis=0))
    return b.model(b("Softmax", b("Add", b("MatMul", x, b.random(6, 5)), b.random(5)), axis=1))


def normalized() -> ModelProto:
    """ConvNeXt's block, Gelu written out, a fixed number of pictures."""
    b = Builder()
    x = skip = b.conv("x", 8, 3, 4, strides=[4, 4])
    x = b("Transpose", b.conv(x, 8, 8, 7, group=8, pads=[3, 3, 3, 3]), perm=[0, 2, 3, 1])
    x = b("LayerNormalization", x, b.random(8), b.random(8), axis=-1)
    x = b("Add", b("MatMul", x, b.random(8, 12)), b.random(12))
    one = b("Add", b("Erf", b("Div", x, np.float32(2**0.5))), np.float32(1))
    x = b("Mul", b("Mul", x, one), np.float32(0.5))
    x = b("Transpose", b("MatMul", x, b.random(12, 8)), perm=[0, 3, 1, 2])
    x = b("Add", x, skip)
    x = b("Squeeze", b("ReduceMean", x, [2, 3]), [2, 3])
    x = b("Identity", b("Unsqueeze", x, [1]))
    return b.model(b("Gemm", b("Reshape", x, [1, 8]), b.random(8, 5)), batch=1)


def grouped() -> ModelProto:
    """What normalizes groups and instances, grows pictures, compares and chooses."""
    b = Builder()
    x = b.conv("x", 8, 3, pads=[1, 1, 1, 1], strides=[2, 2])
    x = b("InstanceNormalization", x, b.random(8), b.random(8))
    x = b("DepthToSpace", x, blocksize=2)
    x = b("ConvTranspose", x, b.random(2, 4, 3, 3), b.random(4), strides=[2, 2], pads=[1, 1, 1, 1])
    x = b("Where", b("Greater", x, np.float32(0)), x, b("Abs", x))
    x = b("SpaceToDepth", b("Slice", x, [0, 0], [30, 30], [2, 3]), blocksize=2)
    x = b("Gather", b("Concat", x, b("Neg", x), axis=1), np.arange(8)[::-1], axis=1)
    x = b("Pad", b("Selu", x), [0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
    x = b("ReduceMax", b("Pow", b("Softsign", x), np.float32(2)), [2, 3], keepdims=0)
    return b.model(b("Gemm", x, b.random(8, 5)))


def sequences() -> ModelProto:
    """Rows of a picture as a sequence: attention, recurrent layers, sums of products."""
    b = Builder()
    x = b("Transpose", b("ReduceMean", b.conv("x", 8, 3), [2], keepdims=0), perm=[0, 2, 1])
    q, k, v = (b("MatMul", x, b.random(8, 8)) for _ in range(3))
    scores = b("Softmax", b("MatMul", q, b("Transpose", k, perm=[0, 2, 1])), axis=-1)
    x = b("Add", x, b("Einsum", scores, v, equation="nij,njk->nik"))
    x = b("LayerNormalization", x, b.random(8), b.random(8), axis=-1)
    x = b("Transpose", x, perm=[1, 0, 2])
    x = b("GRU", x, b.random(1, 18, 8), b.random(1, 18, 6), hidden_size=6, linear_before_reset=1)
    x = b("Squeeze", x, [1])
    both = b("LSTM", x, b.random(2, 16, 6), b.random(2, 16, 4), b.random(2, 32), hidden_size=4,
             direction="bidirectional")  # fmt: skip
    x = b("Reshape", b("Transpose", both, perm=[0, 2, 1, 3]), [0, 0, -1])
    x = b("Clip", b("ReduceMean", x, [0], keepdims=0), np.float32(-3), np.float32(3))
    return b.model(b("Gemm", x, b.random(8, 5), b.random(5)))


def described() -> ModelProto:
    """A small net with all the metadata that darter writes."""
    b = Builder()
    x = b("GlobalAveragePool", b("Relu", b.conv("x", 6, 3, strides=[2, 2])))
    model = b.model(b("Gemm", b("Flatten", x), b.random(6, 5), transB=0))
    write_info(model, ModelInfo(tuple("abcde"), Preprocess(size=SIDE), Calibration(1.3, 0.2)))
    return model


class QuantizedBuilder(Builder):
    """Tensors between 8-bit integers.   zero: of unsigned numbers, or of signed ones."""

    def __init__(self, zero: np.uint8 | np.int8) -> None:
        super().__init__()
        self.zero = self.whole(zero)

    def whole(self, value) -> str:
        """A constant of its own type."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def between(self, x: str, scale: float) -> str:
        """The tensor as integers, and as numbers again."""
        ends = self.whole(np.float32(scale)), self.zero
        return self("DequantizeLinear", self("QuantizeLinear", x, *ends), *ends)

    def filters(self, *shape) -> str:
        q = self.draw.integers(-127, 128, shape).astype(np.int8)
        q[:, 0] = 127
        scale = self.draw.uniform(0.2, 1, shape[0]) / 127 / np.sqrt(np.prod(shape[1:]))
        ends = self.whole(scale.astype(np.float32)), self.whole(np.zeros(shape[0], np.int8))
        return self("DequantizeLinear", self.whole(q), *ends, axis=0)

    def quantized_conv(self, x: str, k: int, c: int, r: int, **attributes) -> str:
        w = self.filters(k, c // attributes.get("group", 1), r, r)
        return self("Conv", x, w, **attributes)


def _quantized(zero: np.uint8 | np.int8) -> ModelProto:
    """Layers between integers of all kinds that have kernels."""
    b = QuantizedBuilder(zero)
    x = b.between("x", 0.03)
    x = b.between(b("Relu", b.quantized_conv(x, 8, 3, 3, pads=[1] * 4, strides=[2, 2])), 0.02)
    a = b.between(b("Clip", b.quantized_conv(x, 8, 8, 3, pads=[1] * 4, group=8), 0.0, 6.0), 0.02)
    x = b.between(b("Add", x, b.between(b.quantized_conv(a, 8, 8, 1), 0.01)), 0.03)
    p = b.between(b("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.03)
    m = b.between(b("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.02)
    x = b.between(
        b("Concat", p, b.between(b.quantized_conv(m, 20, 8, 3, pads=[1] * 4), 0.01), axis=1), 0.02
    )
    x = b.between(b("Flatten", b.between(b("GlobalAveragePool", x), 0.002)), 0.002)
    return b.model(b.between(b("Gemm", x, b.filters(5, 28), transB=1), 0.001))


def unsigned() -> ModelProto:
    return _quantized(np.uint8(110))


def signed() -> ModelProto:
    return _quantized(np.int8(-7))


QUANTIZED = (unsigned, signed)
MAKERS = (plain, gated, normalized, grouped, sequences, described, *QUANTIZED)


@cache
def nets(quantized: bool = False) -> tuple[bytes, ...]:
    """The files that are damaged; of 8-bit integers only where `quantized`."""
    makers = QUANTIZED if quantized else MAKERS
    return tuple(make().SerializeToString() for make in makers)
