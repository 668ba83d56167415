"""Steps, ranges, weights and biases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.conv import conv2d
from darter.net import Node
from darter.quantize import METHODS, Observed, Range, quantized_filters
from darter.quantize.correct import mean_moved
from darter.quantize.weights import MOST_BIAS, whole_bias

numbers = st.floats(-1e4, 1e4, width=32)


@given(numbers, numbers, st.lists(numbers, min_size=1, max_size=20))
def test_steps_keep_0_and_round_to_the_nearest_within_their_range(a, b, values):
    steps = Range(min(a, b), max(a, b)).steps()
    assert steps.rounded(np.zeros(1, np.float32))[0] == 0
    x = np.clip(np.array(values, np.float32), steps.low, steps.high)
    assert np.abs(steps.rounded(x) - x).max() <= steps.scale * 0.5001 + 1e-6 * np.abs(x).max()
    far = steps.rounded(np.array([-1e9, 1e9], np.float32))
    np.testing.assert_allclose(far, [steps.low, steps.high], rtol=1e-5)


def observed(values) -> Observed:
    return Observed(float(values.min()), float(values.max()), values.astype(np.float32))


@pytest.mark.parametrize("method", METHODS)
def test_ranges_lie_within_what_was_seen(method):
    values = np.random.default_rng(0).normal(size=20000)
    found = METHODS[method](observed(values))
    assert values.min() <= found.low <= -1 and 1 <= found.high <= values.max()
    assert METHODS[method](observed(np.maximum(values, 0))).steps().zero == 0
    nothing = METHODS[method](observed(np.zeros(10))).steps()
    assert nothing.rounded(np.zeros(3, np.float32)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("method", ["entropy", "percentile"])
def test_one_outlier_does_not_make_the_steps_coarse(method):
    values = np.random.default_rng(0).uniform(0, 1, 100000)
    values[0] = 50
    assert METHODS[method](observed(values)).high < 10


def test_mse_beats_the_other_ranges_by_its_own_measure():
    values = np.random.default_rng(1).laplace(size=50000).astype(np.float32)

    def error(method):
        return np.square(METHODS[method](observed(values)).steps().rounded(values) - values).mean()

    assert error("mse") <= 1.01 * min(map(error, METHODS))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1]), st.sampled_from([7, 8]), st.booleans())
def test_filters_are_as_near_as_their_largest_weight_allows(seed, axis, bits, wide):
    random = np.random.default_rng(seed)
    w = random.normal(size=(5, 7)) * 10.0 ** random.integers(-3, 4, (5, 1))
    w = np.asarray(w if axis == 0 else w.T, np.float32)
    bias = np.full(5, 1e6 if wide else 0.1, np.float32)
    found = quantized_filters(w, axis, bits=bits, bias=bias, x_scale=1e-4)
    top = 2 ** (bits - 1) - 1
    assert found.q.dtype == np.int8 and found.q.shape == w.shape and np.abs(found.q).max() <= top
    error = np.square(found.floats() - w).sum(axis=1 - axis)
    step = np.maximum(np.abs(w).max(axis=1 - axis) / top, np.abs(bias) / (1e-4 * MOST_BIAS))
    assert (error <= 7 * np.square(step / 2) * 1.001).all()
    whole = whole_bias(bias, 1e-4, found.scale)
    steps = 1e-4 * found.scale
    assert (np.abs(whole * steps - bias) <= steps * 0.51 + 1e-5 * np.abs(bias)).all()


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]),
    st.sampled_from([1, 2]), st.sampled_from([0, 1, 2]),
)  # fmt: skip
def test_the_mean_that_moves_is_the_mean_of_what_a_convolution_changes_by(
    seed, group, stride, dilation, padding
):
    random = np.random.default_rng(seed)
    x = random.normal(1, 1, (3, 4, 9, 8)).astype(np.float32)
    w = random.normal(size=(8, 4 // group, 3, 2)).astype(np.float32)
    given_ = {
        "group": group, "strides": (stride,) * 2, "dilations": (dilation,) * 2,
        "pads": (padding,) * 4,
    }  # fmt: skip
    node = Node("Conv", "c", ("x", "w"), ("y",), given_)
    y = conv2d(x, w, stride=stride, padding=padding, dilation=dilation, groups=group)
    moved = mean_moved(node, w, x.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(moved, y.mean(axis=(0, 2, 3)), atol=2e-5)


def test_the_mean_that_moves_in_products_of_rows():
    random = np.random.default_rng(0)
    x, w = random.normal(1, 1, (6, 5)), random.normal(size=(3, 5))
    gemm = Node("Gemm", "g", ("x", "w"), ("y",), {"transB": 1})
    matmul = Node("MatMul", "m", ("x", "w"), ("y",), {})
    expected = (x @ w.T).mean(axis=0)
    np.testing.assert_allclose(mean_moved(gemm, w, x.mean(axis=0)), expected)
    np.testing.assert_allclose(mean_moved(matmul, w.T, x.mean(axis=0)), expected)
