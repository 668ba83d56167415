"""Each shape rule against what the reference executor really makes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.errors import ShapeError
from darter.net.graph import node
from darter.net.infer import infer_node
from darter.net.ops import Activation
from tests.references.net import FUNCTIONS, run_node

small = st.integers(1, 5)
shape4 = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9))
any_shape = st.lists(small, min_size=1, max_size=4).map(tuple)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
pads4 = st.tuples(*[st.integers(0, 2)] * 4)


def check(op, shapes, **attributes):
    """The rule refuses, or says what the executor gives."""
    names = [f"in{number}" for number in range(len(shapes))]
    made = node(op, "n", names, "y", **attributes)
    try:
        expected = infer_node(made, dict(zip(names, shapes, strict=True)))["y"]
    except ShapeError:
        return False
    (y,) = run_node(made, [np.ones(shape) for shape in shapes])
    assert y.shape == expected
    return True


@given(shape4, small, st.sampled_from([1, 2, 3]), pairs, pads4, pairs, pairs)
def test_conv(x, k, group, strides, pads, dilations, kernel):
    w = (k, max(1, x[1] // group), *kernel)
    check(
        "Conv", [x, w, (k,)], group=group, strides=strides, pads=pads, dilations=dilations
    )  # fmt: skip


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@given(shape4, pairs, pairs, pads4, pairs, st.booleans())
def test_pools(op, x, kernel, strides, pads, dilations, ceil):
    check(op, [x], kernel=kernel, strides=strides, pads=pads, dilations=dilations, ceil=ceil)


@given(any_shape, any_shape)
def test_arithmetic_broadcasts_like_numpy(a, b):
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        expected = None
    assert check("Eltwise", [a, b], function="add") == (expected is not None)


@given(any_shape, st.integers(-5, 5), st.integers(-3, 6), st.integers(-3, 6), st.integers(0, 3))
def test_slice(x, axis, start, stop, step):
    check("Slice", [x], axis=axis, start=start, stop=stop, step=step)


@given(any_shape, st.permutations(range(4)))
def test_transpose(x, order):
    fits = sorted(order[: len(x)]) == list(range(len(x)))
    assert check("Transpose", [x], order=tuple(order[: len(x)])) == fits


@given(any_shape, st.lists(st.integers(-2, 3), min_size=2, max_size=8))
def test_pad(x, pads):
    check("Pad", [x], pads=tuple(pads))


@given(any_shape, st.sets(st.integers(-4, 3)), st.booleans())
def test_reduce(x, axes, keep):
    distinct = {axis % len(x) for axis in axes}
    if len(distinct) == len(axes):
        check("Reduce", [x], function="mean", axes=tuple(axes), keep_dims=keep)


@given(st.lists(any_shape, min_size=1, max_size=3), st.integers(-4, 4))
def test_concat(shapes, axis):
    check("Concat", shapes, axis=axis)


@given(
    st.lists(any_shape, min_size=1, max_size=2),
    st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 4)), min_size=1, max_size=5),
)
def test_channels(shapes, sources):
    check("Channels", shapes, sources=tuple(sources))


@given(any_shape, st.lists(st.integers(-1, 6), max_size=4).map(tuple))
def test_reshape(x, target):
    fits = np.prod(target, dtype=int) == np.prod(x) and min(target, default=0) >= 0
    assert check("Reshape", [x], shape=target) == fits


@given(shape4, st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(max_examples=30)
def test_resize(x, size):
    scales = tuple(new / old for new, old in zip(size, x[2:], strict=True))
    assert check("Resize", [x], size=size, scales=scales, mode="linear")


@given(st.lists(small, min_size=2, max_size=4).map(tuple), small)
def test_products(x, k):
    assert check("Gemm", [x, (k, x[-1]), (k,)])
    assert check("MatMul", [x, (*x[:-2], x[-1], k)])
    assert not check("Gemm", [x, (k, x[-1] + 1), (k,)])


@given(shape4)
def test_what_keeps_its_shape(x):
    c = (x[1],)
    assert check("Activation", [x], activation=Activation("relu"))
    assert check("Scale", [x, c, c])
    assert check("ChannelNorm", [x, c, c])
    assert check("LayerNorm", [x, x[-1:], x[-1:]])
    assert check("Softmax", [x], axis=1)
    assert check("LRN", [x], size=3)
    assert check("PRelu", [x, (x[1], 1, 1)])
    assert check("GlobalAveragePool", [x])


def test_the_executor_knows_every_operation():
    from darter.net.ops import OPS

    assert set(FUNCTIONS) == set(OPS)
