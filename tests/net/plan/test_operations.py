"""Convolutions, pools, arithmetic and joins against their plain numpy form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.net.graph import Node, node
from darter.net.ops import ACTIVATIONS, OPS, Activation
from darter.net.plan.emit import EMIT
from tests.net.plan.checked import CHANNELS, array, check, conv, net


def test_every_operation_has_a_step():
    assert EMIT.keys() == OPS.keys()


@given(
    c=st.sampled_from(CHANNELS),
    k=st.sampled_from(CHANNELS),
    side=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    pads=st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 2)]),
    kind=st.sampled_from([None, "relu", "clip", "swish", "sigmoid", "gelu", "leaky_relu"]),
)
@settings(max_examples=30, deadline=None)
def test_convolutions(c, k, side, stride, pads, kind):
    activation = kind and Activation(kind, 0.1, 6.0)
    made, weights = conv(
        "x", "y", k, c, side=side, strides=(stride, stride), pads=pads, activation=activation
    )
    check(net(made, shape=(c, 9, 8), **weights))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", [None, "relu", "swish"])
@pytest.mark.parametrize("c", [16, 20])
def test_residuals(c, kind, after):
    activation = kind and Activation(kind)
    first, weights = conv("x", "a", c, c, pads=(1, 1, 1, 1))
    last = node(
        "Conv", "y", ["a", "v", "u", "x"], "y",
        pads=(1, 1, 1, 1), activation=activation, activation_after_residual=after,
    )  # fmt: skip
    end = node("Eltwise", "z", ["y", "y"], "z", function="add")
    weights |= {"v": array(c, c, 3, 3) / 9, "u": array(c)}
    check(net(first, last, end, shape=(c, 9, 8), **weights))


def test_an_input_that_is_also_added_is_not_overwritten():
    first, weights = conv("x", "a", 16, 16, side=1)
    last = node("Conv", "y", ["a", "v", "u", "a"], "y", pads=(1, 1, 1, 1))
    weights |= {"v": array(16, 16, 3, 3) / 9, "u": array(16)}
    check(net(first, last, shape=(16, 9, 8), **weights))


@pytest.mark.parametrize(("c", "k"), [(512, 40), (40, 1000), (2000, 17)])
def test_fully_connected(c, k):
    flat = node("Reshape", "f", ["x"], "f", shape=(None, c))
    product = node("Gemm", "y", ["f", "w", "b"], "y", activation=Activation("relu"))
    weights = {"w": array(k, c) / c**0.5, "b": array(k)}
    check(net(flat, product, shape=(c, 1, 1), **weights), batches=(1, 3, 33))


def test_products_of_pixels():
    """Channels last, as transformers and ConvNeXt write it."""
    nodes = (
        node("Transpose", "t", ["x"], "t", order=(0, 2, 3, 1)),
        node("LayerNorm", "n", ["t", "s", "h"], "n", axis=-1),
        node("Gemm", "g", ["n", "w", "b"], "g", activation=Activation("gelu")),
        node("Gemm", "k", ["g", "v", "d"], "k"),
        node("Transpose", "u", ["k"], "u", order=(0, 3, 1, 2)),
        node("Eltwise", "y", ["x", "u"], "y", function="add"),
    )
    weights = {
        "s": array(20), "h": array(20), "w": array(80, 20) / 4, "b": array(80),
        "v": array(20, 80) / 9, "d": array(20),
    }  # fmt: skip
    check(net(*nodes, **weights))


@given(
    op=st.sampled_from(["MaxPool", "AveragePool"]),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.integers(1, 2),
    ceil=st.booleans(),
    count=st.booleans(),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_pools(op, kernel, strides, dilation, ceil, count, data):
    reach = [min((k - 1) * dilation, 2) for k in kernel]
    pads = tuple(data.draw(st.integers(0, most)) for most in reach * 2)
    made = node(
        op, "y", ["x"], "y", kernel=kernel, strides=strides, pads=pads,
        dilations=(dilation, dilation), ceil=ceil,
        **({"count_padding": count} if op == "AveragePool" else {}),
    )  # fmt: skip
    check(net(made, shape=(20, 11, 9)))


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(op):
    check(net(node(op, "y", ["x"], "y")))


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("blocked", [False, True])
def test_activations(kind, blocked):
    first, weights = conv("x", "c", 20, 20, side=1)
    source = "c" if blocked else "x"
    made = node("Activation", "y", [source], "y", activation=Activation(kind, 0.2, 0.5))
    check(net(first, made, **weights) if blocked else net(made))


@pytest.mark.parametrize("function", ["add", "sub", "mul", "div", "min", "max", "pow"])
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("shape", [(), (20, 1, 1), (20, 6, 7), (1, 7)])
@pytest.mark.parametrize("swapped", [False, True])
def test_eltwise_with_weights(function, blocked, shape, swapped):
    first, weights = conv("x", "c", 20, 20, side=1, activation=Activation("sigmoid"))
    inputs = ["c" if blocked else "x", "k"]
    inputs = inputs[::-1] if swapped else inputs
    made = node("Eltwise", "y", inputs, "y", function=function, activation=Activation("relu"))
    weights |= {"k": np.abs(array(*shape)) + 0.5}
    check(net(*([first] if blocked else []), made, **weights), positive=True)


def test_squeeze_and_excite():
    first, weights = conv("x", "c", 20, 20, side=1)
    squeeze, more = conv("p", "s", 8, 20, side=1, activation=Activation("swish"))
    excite, most = conv("s", "e", 20, 8, side=1, activation=Activation("sigmoid"))
    nodes = (
        first,
        node("GlobalAveragePool", "p", ["c"], "p"),
        squeeze,
        excite,
        node("Eltwise", "y", ["c", "e"], "y", function="mul"),
    )
    check(net(*nodes, **weights, **more, **most))


def test_scale_and_prelu():
    nodes = (
        node("Scale", "a", ["x", "s", "t"], "a", activation=Activation("relu")),
        node("PRelu", "b", ["x", "p"], "b"),
        node("Eltwise", "y", ["a", "b"], "y", function="sub"),
    )
    check(net(*nodes, s=array(20), t=array(20), p=array(20, 1, 1)))


@pytest.mark.parametrize("sizes", [(16, 32, 20), (20, 16, 4), (16, 16, 16)])
def test_joins(sizes):
    """Also of what is joined again, and of what others read."""
    made, weights = [], {}
    for i, size in enumerate(sizes):
        each, more = conv("x", f"c{i}", size, 20, pads=(1, 1, 1, 1))
        made.append(each)
        weights |= more
    total = sum(sizes)
    nodes = (
        *made,
        node("Concat", "j", ["c0", "c1"], "j", axis=1),
        node("Activation", "r", ["c0"], "r", activation=Activation("relu")),
        node("Concat", "k", ["c0", "c1", "c2"], "k", axis=1),
        node("Concat", "d", ["r", "k", "x"], "d", axis=1),
        node("MaxPool", "y", ["d"], "y", kernel=(2, 2)),
    )
    last, more = conv("d", "z", 16, total + sizes[0] + 20)
    check(net(*nodes, last, outputs=("y", "j", "z"), **weights, **more))


@pytest.mark.parametrize("cut", [16, 7])
def test_split_slice_and_shuffle(cut):
    first, weights = conv("x", "c", 40, 20, side=1)
    nodes = (
        first,
        Node("Split", "s", ("c",), ("a", "b"), {"axis": 1, "sizes": (cut, 40 - cut)}),
        node("Slice", "d", ["c"], "d", axis=1, start=1, stop=40, step=3),
        node("Slice", "e", ["c"], "e", axis=3, start=1, stop=7, step=2),
        node("Reshape", "f", ["c"], "f", shape=(None, 2, 20, 6, 7)),
        node("Transpose", "g", ["f"], "g", order=(0, 2, 1, 3, 4)),
        node("Reshape", "h", ["g"], "h", shape=(None, 40, 6, 7)),
        node("MaxPool", "p", ["b"], "p", kernel=(2, 2)),
    )
    last, more = conv("h", "y", 16, 40)
    outputs = ("a", "b", "d", "e", "p", "y")
    check(net(*nodes, last, outputs=outputs, **weights, **more))


@given(st.data())
@settings(deadline=None)
def test_channels_are_chosen_from_several(data):
    """Single ones, whole blocks, and blocks whose rest belongs to nobody."""
    sizes = data.draw(st.lists(st.sampled_from([3, 16, 20, 40]), min_size=1, max_size=3))
    made = [conv("x", f"c{i}", size, 20, side=1) for i, size in enumerate(sizes)]
    one = st.tuples(st.integers(0, len(sizes) - 1), st.integers(0, 39)).map(
        lambda source: [(source[0], source[1] % sizes[source[0]])]
    )
    whole = st.integers(0, len(sizes) - 1).map(lambda i: [(i, c) for c in range(sizes[i])])
    runs = data.draw(st.lists(one | whole, min_size=1, max_size=20))
    sources = tuple(source for run in runs for source in run)
    names = [f"c{i}" for i in range(len(sizes))]
    choice = node("Channels", "y", names, "y", sources=sources)
    weights = {name: array for _, more in made for name, array in more.items()}
    check(net(*(each for each, _ in made), choice, **weights))
