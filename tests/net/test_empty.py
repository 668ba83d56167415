"""Parts without a place and products with vectors: rare, valid, and run."""

import numpy as np
import pytest
from onnx import helper

from darter.errors import UnsupportedError
from darter.net.translate.cuts import slice_places
from tests.net.onnx_nets import check, graph_of, net

N = helper.make_node
RNG = np.random.default_rng(1)


def ints(*values):
    return np.array(values, np.int64)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("sizes", [(0, 9), (4, 0, 5), (9, 0), (0, 9, 0)])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_splits_into_nothing(sizes, axis):
    names = [f"p{i}" for i in range(len(sizes))]
    nodes = [N("Split", ["x", "s"], names, axis=axis), N("Concat", names[::-1], ["y"], axis=axis)]
    check(net(nodes, {"s": ints(*sizes)}, x=("n", 9, 9, 9)), 9, 9, 9)


@pytest.mark.parametrize("size", [8, 9, 10])
def test_splits_into_parts_alike(size):
    """The last gets what is left: of 8 in 5 nothing."""
    names = ["a", "b", "c", "d", "e"]
    nodes = [N("Split", ["x"], names, axis=1, num_outputs=5), N("Concat", names, ["y"], axis=1)]
    check(net(nodes, {}, x=("n", size, 2, 3), opset=18), size, 2, 3)


def test_an_empty_slice_of_two_axes():
    """All rows but the first stay: (N, 0, 8, 9), which joins as nothing."""
    weights = {"a": ints(1, 5), "b": ints(9, 5), "axes": ints(2, 1)}
    nodes = [N("Slice", ["x", *weights], ["q"]), N("Slice", ["x", "one", "nine", "two"], ["z"])]
    nodes.append(N("Concat", ["z", "q"], ["y"], axis=1))
    weights |= {"one": ints(1), "nine": ints(9), "two": ints(2)}
    check(net(nodes, weights, x=("n", 9, 9, 9)), 9, 9, 9)


def test_what_computes_with_nothing_is_refused():
    weights = {"a": ints(5), "axes": ints(1), "w": floats(3, 1, 1, 1)}
    nodes = [N("Slice", ["x", "a", "a", "axes"], ["q"]), N("Conv", ["q", "w"], ["y"])]
    with pytest.raises(UnsupportedError, match="is empty"):
        graph_of(net(nodes, weights, x=("n", 9, 9, 9)), np.zeros((1, 9, 9, 9)))


@pytest.mark.parametrize("shape", [(7,), (5, 7), (4, 5, 7)])
def test_products_with_a_vector_on_the_right(shape):
    model = net([N("MatMul", ["x", "w"], ["y"])], {"w": floats(7)}, x=("n", *shape))
    check(model, *shape)


@pytest.mark.parametrize("shape", [(7, 5), (4, 7, 5)])
def test_products_with_a_vector_on_the_left(shape):
    model = net([N("MatMul", ["w", "x"], ["y"])], {"w": floats(7)}, x=("n", *shape))
    check(model, *shape)


@pytest.mark.parametrize("start", [-9, -6, -1, 0, 3, 9])
@pytest.mark.parametrize("end", [-9, -7, -6, -1, 0, 3, 9])
@pytest.mark.parametrize("step", [-4, -1, 1, 2])
def test_slices_as_onnx_means_them(start, end, step):
    """By its text: negative numbers count from the end, then both are clamped."""
    size = 6
    first, last = (place + size if place < 0 else place for place in (start, end))
    if step > 0:
        first, last = min(max(first, 0), size), min(max(last, 0), size)
    else:
        first, last = min(max(first, 0), size - 1), min(max(last, -1), size - 1)
    assert [*slice_places(size, start, end, step)] == [*range(first, last, step)]
