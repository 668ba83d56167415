"""Nets that move the pictures to another axis, as attention and recurrent layers are exported."""

import numpy as np
import pytest

from darter.errors import ShapeError, UnsupportedError
from tests.net.onnx_nets import N, check, graph_of, net

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def test_attention_with_queries_keys_and_values_in_front():
    """(N, T, 3, heads, d) -> (3, N, heads, T, d), as ViT and PP-OCR write it."""
    nodes = [
        N("Reshape", ["x", "flat"], ["pixels"]),
        N("Transpose", ["pixels"], ["tokens"], perm=[0, 2, 1]),
        N("MatMul", ["tokens", "w"], ["qkv"]),
        N("Reshape", ["qkv", "heads"], ["apart"]),
        N("Transpose", ["apart"], ["front"], perm=[2, 0, 3, 1, 4]),
        *[N("Gather", ["front", f"{i}"], [name], axis=0) for i, name in enumerate(("q", "k", "v"))],
        N("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        N("MatMul", ["q", "kt"], ["scores"]),
        N("Softmax", ["scores"], ["weights"], axis=-1),
        N("MatMul", ["weights", "v"], ["mixed"]),
        N("Transpose", ["mixed"], ["back"], perm=[0, 2, 1, 3]),
        N("Reshape", ["back", "joined"], ["y"]),
    ]
    weights = {
        "flat": ints(0, 6, -1), "w": array(6, 24), "heads": ints(0, 20, 3, 2, 4),
        "0": np.int64(0), "1": np.int64(1), "2": np.int64(2), "joined": ints(0, 20, 8),
    }  # fmt: skip
    check(net(nodes, weights, x=("n", 6, 4, 5)), 6, 4, 5)


@pytest.mark.parametrize("op", ["Add", "Mul", "Sub"])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (7, 1, 1), (7, 1, 5)])
def test_arithmetic_with_time_first(op, shape):
    """With one picture, its axis looks like one channel."""
    nodes = [
        N("Squeeze", ["x", "two"], ["row"]),
        N("Transpose", ["row"], ["time"], perm=[2, 0, 1]),
        N(op, ["time", "c"], ["y"]),
    ]
    check(net(nodes, {"two": ints(2), "c": array(*shape)}, x=("n", 5, 1, 7)), 5, 1, 7)


def test_means_over_what_is_behind_the_pictures():
    nodes = [
        N("Transpose", ["x"], ["first"], perm=[1, 0, 2, 3]),
        N("ReduceMean", ["first"], ["y"], axes=[2, 3], keepdims=0),
    ]
    check(net(nodes, {}, x=("n", 5, 4, 3)), 5, 4, 3)


def test_a_linear_layer_with_time_first():
    nodes = [
        N("Squeeze", ["x", "two"], ["row"]),
        N("Transpose", ["row"], ["time"], perm=[2, 0, 1]),
        N("MatMul", ["time", "w"], ["p"]),
        N("Add", ["p", "b"], ["s"]),
        N("LogSoftmax", ["s"], ["y"], axis=2),
    ]
    weights = {"two": ints(2), "w": array(20, 33), "b": array(33)}
    check(net(nodes, weights, x=("n", 20, 1, 7)), 20, 1, 7)


@pytest.mark.parametrize(
    "last",
    [
        N("Softmax", ["time"], ["y"], axis=1),
        N("ReduceMean", ["time"], ["y"], axes=[1]),
        N("LayerNormalization", ["time", "five"], ["y"], axis=1),
        N("Reshape", ["time", "pictures first"], ["y"]),
        N("MatMul", ["time", "five"], ["y"]),
        N("Add", ["time", "row"], ["y"]),
    ],
    ids=lambda node: node.op_type,
)
def test_what_mixes_pictures_is_refused(last):
    nodes = [
        N("Squeeze", ["x", "two"], ["row"]),
        N("Transpose", ["row"], ["time"], perm=[2, 0, 1]),
        last,
    ]
    if last.op_type == "MatMul":  # over the pictures
        nodes[1] = N("Transpose", ["row"], ["time"], perm=[2, 1, 0])
    weights = {"two": ints(2), "five": array(5), "pictures first": ints(-1, 5, 5)}
    if last.op_type == "MatMul":
        weights["five"] = array(2, 3)
    with pytest.raises((UnsupportedError, ShapeError)):
        graph_of(net(nodes, weights, x=("n", 5, 1, 5)), np.zeros((1, 5, 1, 5)))


def test_pictures_and_tokens_share_an_axis():
    """(N T, C) for a layer over rows, as LeViT, and windows (N W, T, C), as Swin write it."""
    nodes = [
        N("Reshape", ["x", "flat"], ["pixels"]),
        N("Transpose", ["pixels"], ["tokens"], perm=[0, 2, 1]),
        N("Reshape", ["tokens", "rows"], ["all"]),
        N("Gemm", ["all", "w", "b"], ["g"]),
        N("BatchNormalization", ["g", "s", "o", "m", "v"], ["n"]),
        N("Relu", ["n"], ["r"]),
        N("Reshape", ["r", "windows"], ["groups"]),
        N("Transpose", ["groups"], ["turned"], perm=[0, 2, 1]),
        N("MatMul", ["groups", "turned"], ["scores"]),
        N("Softmax", ["scores"], ["weights"], axis=-1),
        N("MatMul", ["weights", "groups"], ["mixed"]),
        N("Reshape", ["mixed", "apart"], ["y"]),
    ]
    weights = {
        "flat": ints(0, 6, -1), "rows": ints(-1, 6), "w": array(6, 16), "b": array(16),
        "s": array(16), "o": array(16), "m": array(16), "v": abs(array(16)) + 0.5,
        "windows": ints(-1, 5, 16), "apart": ints(-1, 20, 16),
    }  # fmt: skip
    check(net(nodes, weights, x=("n", 6, 4, 5)), 6, 4, 5)


@pytest.mark.parametrize("batch", [1, 2])
def test_rows_of_a_file_that_insists_on_a_batch(batch, tmp_path):
    import darter
    from tests.tiny_models import save

    nodes = [
        N("Reshape", ["x", "rows"], ["all"]),
        N("MatMul", ["all", "w"], ["p"]),
        N("Reshape", ["p", "apart"], ["y"]),
    ]
    weights = {"rows": ints(batch * 6, 20), "w": array(20, 3), "apart": ints(batch, 18)}
    model = net(nodes, weights, x=(batch, 6, 4, 5))
    session = darter.load(save(model, tmp_path / "m.onnx"), runtime="darter")
    x = array(4, 6, 4, 5)
    assert session._runtime.batch is None
    expected = (x.reshape(24, 20) @ weights["w"]).reshape(4, 18)
    np.testing.assert_allclose(session.run(x), expected, rtol=1e-4, atol=1e-5)


def test_rows_that_join_two_pictures_are_refused():
    nodes = [N("Reshape", ["x", "rows"], ["a"]), N("Relu", ["a"], ["y"])]
    model = net(nodes, {"rows": ints(-1, 6)}, x=("n", 3, 1, 1))  # two pictures in each row
    with pytest.raises((ShapeError, UnsupportedError)):
        graph_of(model, np.zeros((1, 3, 1, 1)))


def test_a_token_of_the_class_is_given_to_every_picture():
    nodes = [
        N("Reshape", ["x", "flat"], ["pixels"]),
        N("Transpose", ["pixels"], ["tokens"], perm=[0, 2, 1]),
        N("Shape", ["x"], ["shape"]),
        N("Gather", ["shape", "zero"], ["n"], axis=0),
        N("Concat", ["n", "rest"], ["to"], axis=0),
        N("Expand", ["token", "to"], ["class"]),
        N("Concat", ["class", "tokens"], ["all"], axis=1),
        N("Add", ["all", "places"], ["y"]),
    ]
    weights = {
        "flat": ints(0, 6, -1), "zero": ints(0), "rest": ints(1, 6),
        "token": array(1, 1, 6), "places": array(1, 21, 6),
    }  # fmt: skip
    check(net(nodes, weights, x=("n", 6, 4, 5)), 6, 4, 5)
