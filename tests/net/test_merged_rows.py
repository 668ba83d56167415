"""Nets that put the rows of all pictures under one another: (N, T, C) as (N * T, C), and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.errors import UnsupportedError
from darter.net import build, model_in_memory
from tests.net.onnx_nets import N, check, graph_of, net

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def rows(*nodes, back=(-1, 20, 6), weights=None, x=("n", 20, 6)):
    """x (N, 20, 6) as "r" (N * 20, 6), the nodes, and "z" back to pictures."""
    nodes = [N("Reshape", ["x", "rows"], ["r"]), *nodes, N("Reshape", ["z", "back"], ["y"])]
    weights = {"rows": ints(-1, 6), "back": ints(*back), **(weights or {})}
    return net(nodes, weights, x=x)


def test_a_linear_layer_with_batch_normalization():
    """As LeViT has it: Linear and BatchNorm1d on x.flatten(0, 1)."""
    nodes = [
        N("MatMul", ["x", "w"], ["m"]),
        N("Flatten", ["m"], ["f"], axis=2),
        N("BatchNormalization", ["f", "g", "b", "mean", "var"], ["n"]),
        N("Shape", ["m"], ["s"]),
        N("Reshape", ["n", "s"], ["y"]),
    ]
    weights = {name: array(9) for name in ("g", "b", "mean")}
    weights |= {"w": array(6, 9), "var": np.abs(array(9)) + 0.1}
    graph = check(net(nodes, weights, x=("n", 20, 6)), 20, 6)
    assert [each.op for each in graph.nodes] == ["Gemm"]


ALIKE = {
    "Relu": N("Relu", ["r"], ["z"]),
    "Softmax": N("Softmax", ["r"], ["z"], axis=-1),
    "LayerNormalization": N("LayerNormalization", ["r", "g"], ["z"], axis=1),
    "a constant per channel": N("Mul", ["r", "g"], ["z"]),
    "itself": N("Mul", ["r", "r"], ["z"]),
    "Gemm": N("Gemm", ["r", "w", "g"], ["z"], transB=1),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_treats_every_row_alike(name):
    check(rows(ALIKE[name], weights={"g": array(6), "w": array(6, 6)}), 20, 6)


def test_attention_with_queries_keys_and_values_in_front():
    """Of windows (N * 4, 4, C), as MobileViT and Swin have it: the rows move behind q, k, v."""
    nodes = [
        N("Reshape", ["x", "windows"], ["w"]),
        N("MatMul", ["w", "all"], ["m"]),
        N("Reshape", ["m", "heads"], ["h"]),
        N("Transpose", ["h"], ["t"], perm=[2, 0, 3, 1, 4]),
        *[N("Gather", ["t", f"{i}"], [name], axis=0) for i, name in enumerate("qkv")],
        N("Mul", ["q", "scale"], ["scaled"]),
        N("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        N("MatMul", ["scaled", "kt"], ["scores"]),
        N("Add", ["scores", "bias"], ["biased"]),
        N("Softmax", ["biased"], ["weights"], axis=-1),
        N("MatMul", ["weights", "v"], ["mixed"]),
        N("Transpose", ["mixed"], ["b"], perm=[0, 2, 1, 3]),
        N("Reshape", ["b", "joined"], ["j"]),
        N("ReduceMax", ["t"], ["top"], axes=[0, 2], keepdims=0),
        N("ReduceSum", ["top", "two"], ["sum"], keepdims=0),
        N("Reshape", ["j", "back"], ["y"]),
        N("Reshape", ["sum", "pictures"], ["z"]),
    ]
    weights = {
        "windows": ints(-1, 4, 6), "all": array(6, 18), "heads": ints(-1, 4, 3, 2, 3),
        "0": np.int64(0), "1": np.int64(1), "2": np.int64(2), "scale": array(1, 1, 1, 1),
        "bias": array(1, 2, 4, 4), "joined": ints(-1, 4, 6), "back": ints(-1, 16, 6),
        "two": ints(2), "pictures": ints(-1, 16),
    }  # fmt: skip
    check(net(nodes, weights, x=("n", 16, 6), outputs=("y", "z"), opset=13), 16, 6)


def test_attention_in_windows():
    """(N, 4, 4, C) -> (N * 4, 4, C): tokens look at those of their own window only."""
    nodes = [
        N("Reshape", ["x", "cut"], ["c"]),
        N("Transpose", ["c"], ["t"], perm=[0, 1, 3, 2, 4, 5]),
        N("Reshape", ["t", "windows"], ["w"]),
        N("Transpose", ["w"], ["k"], perm=[0, 2, 1]),
        N("MatMul", ["w", "k"], ["scores"]),
        N("Softmax", ["scores"], ["weights"], axis=-1),
        N("MatMul", ["weights", "w"], ["mixed"]),
        N("Concat", ["mixed", "w"], ["both"], axis=2),
        N("Split", ["both", "sizes"], ["left", "right"], axis=-1),
        N("ReduceMean", ["right"], ["mean"], axes=[1]),
        N("Add", ["left", "mean"], ["sum"]),
        N("Reshape", ["sum", "grid"], ["g"]),
        N("Transpose", ["g"], ["b"], perm=[0, 1, 3, 2, 4, 5]),
        N("Reshape", ["b", "back"], ["y"]),
    ]
    weights = {
        "cut": ints(-1, 2, 2, 2, 2, 5), "windows": ints(-1, 4, 5), "sizes": ints(5, 5),
        "grid": ints(-1, 2, 2, 2, 2, 5), "back": ints(-1, 4, 4, 5),
    }  # fmt: skip
    check(net(nodes, weights, x=("n", 4, 4, 5)), 4, 4, 5)


REFUSED = {
    "softmax over rows": N("Softmax", ["r"], ["z"], axis=0),
    "rows and channels change places": N("Transpose", ["r"], ["z"], perm=[1, 0]),
    "mean of all rows": N("ReduceMean", ["r"], ["z"], axes=[0]),
    "sum of everything": N("ReduceSum", ["r"], ["z"]),
    "sum of products over rows": N("MatMul", ["w", "r"], ["z"]),
    "products of rows with rows": N("MatMul", ["r", "r"], ["z"]),
    "a Gemm of rows": N("Gemm", ["r", "r"], ["z"], transA=1),
    "joined rows": N("Concat", ["r", "r"], ["z"], axis=0),
    "an operation with channels": N("LRN", ["r"], ["z"], size=3),
    "pictures beside rows": N("Add", ["r", "x"], ["z"]),
    "rows merged otherwise": N("Add", ["r", "other"], ["z"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_mixes_rows_is_refused(name):
    model = rows(
        N("Reshape", ["x", "otherwise"], ["other"]), REFUSED[name],
        weights={"otherwise": ints(-1, 3), "w": array(6, 20)}, back=(-1, 20, 6),
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"rows|pictures|merged|constant"):
        graph_of(model, np.zeros((1, 20, 6)))


def test_merged_rows_are_no_output():
    model = net([N("Reshape", ["x", "s"], ["y"])], {"s": ints(-1, 6)}, x=("n", 20, 6))
    with pytest.raises(UnsupportedError, match="'y' has pictures and rows on one axis"):
        graph_of(model, np.zeros((1, 20, 6)))


@pytest.mark.parametrize("written", [1, 2])
def test_a_file_for_some_pictures_runs_for_any(written):
    """Exported without a name for the pictures: the sizes in the file are for so many."""
    nodes = [
        N("Reshape", ["x", "rows"], ["r"]),
        N("MatMul", ["r", "w"], ["m"]),
        N("Reshape", ["m", "back"], ["y"]),
    ]
    weights = {"rows": ints(20 * written, 6), "w": array(6, 7), "back": ints(written, 20, 7)}
    model = net(nodes, weights, x=(written, 20, 6))
    graph = build(model_in_memory(model, "net"), "x", (20, 6), ("y",), written=written)
    assert graph.inputs == {"x": (None, 20, 6)}
    assert [each.op for each in graph.nodes] == ["Gemm"]


@given(
    t=st.integers(1, 5), u=st.integers(1, 4), c=st.integers(1, 4),
    first=st.booleans(), softmax=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_two_axes_become_rows(t, u, c, first, softmax):
    """(N, T, U, C) as (N * T, U, C) or (N * T * U, C), one after the other."""
    shapes = [ints(-1, u, c), ints(-1, c)]
    weights = {"a": shapes[0 if first else 1], "b": shapes[1 if first else 0]}
    weights |= {"w": array(c, c), "back": ints(-1, t, u, c)}
    nodes = [
        N("Reshape", ["x", "a"], ["p"]),
        N("MatMul", ["p", "w"], ["q"]),
        N("Reshape", ["q", "b"], ["r"]),
        N("Softmax", ["r"], ["s"], axis=-1) if softmax else N("Relu", ["r"], ["s"]),
        N("Reshape", ["s", "back"], ["y"]),
    ]
    check(net(nodes, weights, x=("n", t, u, c)), t, u, c)
