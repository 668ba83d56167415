"""Weights rounded by least squares of a layer's outputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.net import Node
from darter.quantize import Settings, read_float_net
from darter.quantize.moments import PLACES, Moments, _rows
from darter.quantize.rounding import least_squares
from tests.quantize.nets import info, write_net
from tests.quantize.test_net import pictures

seeds = st.integers(0, 2**32 - 1)


def drawn(seed, groups=2, filters=3, inputs=12, samples=200):
    """Rows, a scale that makes rounding coarse, and inputs that vary together."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(groups, filters, inputs))
    scale = np.abs(rows).max(axis=2) / 7
    x = random.normal(size=(groups, samples, 3)) @ random.normal(size=(groups, 3, inputs))
    x += 0.2 * random.normal(size=x.shape)
    return rows, scale, x


@given(seeds)
def test_inputs_that_vary_alone_give_the_nearest(seed):
    rows, scale, _ = drawn(seed)
    q = least_squares(rows, scale, 7, np.broadcast_to(np.eye(12), (2, 12, 12)))
    np.testing.assert_array_equal(q, np.rint(rows / scale[:, :, None]))


@settings(deadline=None)
@given(seeds)
def test_outputs_come_nearer_and_weights_stay_in_range(seed):
    rows, scale, x = drawn(seed)
    moments = x.transpose(0, 2, 1) @ x / x.shape[1]

    def error(q):
        change = q * scale[:, :, None] - rows
        return np.square(change @ x.transpose(0, 2, 1)).sum()

    fitted = least_squares(rows, scale, 7, moments)
    assert np.abs(fitted).max() <= 7 and (fitted == np.rint(fitted)).all()
    assert error(fitted) < 0.7 * error(np.rint(rows / scale[:, :, None]))


def test_inputs_that_are_always_0_do_no_harm():
    rows, scale, x = drawn(0)
    x[:, :, 4:] = 0
    moments = x.transpose(0, 2, 1) @ x / x.shape[1]
    assert np.isfinite(least_squares(rows, scale, 7, moments)).all()
    assert np.isfinite(least_squares(rows, scale, 7, 0 * moments)).all()


@pytest.mark.parametrize("group", [1, 2, 6])
def test_rows_are_what_a_convolution_multiplies(group):
    random = np.random.default_rng(group)
    x = random.normal(size=(2, 6, 9, 8)).astype(np.float32)
    w = random.normal(size=(12, 6 // group, 3, 2)).astype(np.float32)
    given_ = {"group": group, "strides": (2, 1), "dilations": (1, 2), "pads": (1, 0, 1, 2)}
    node = Node("Conv", "conv", ("x", "w"), ("y",), given_)
    rows = _rows(node, w.shape, x, np.random.default_rng(0))
    assert rows.shape == (2 * PLACES, group, w[0].size)
    by_group = w.reshape(group, 12 // group, -1)
    found = np.einsum("ngi,gfi->ngf", rows, by_group).reshape(2, PLACES, 12)
    outputs = np.stack([whole(x[k], w, group) for k in range(2)])
    for k in range(2):
        possible = outputs[k].reshape(12, -1).T
        apart = np.abs(found[k][:, None] - possible[None]).max(axis=2).min(axis=1)
        assert apart.max() < 1e-4


def whole(x, w, group):
    """The outputs of that convolution, plainly."""
    x = np.pad(x, ((0, 0), (1, 1), (0, 2)))
    outputs = np.zeros((12, (x.shape[1] - 3) // 2 + 1, x.shape[2] - 2))
    each = 6 // group
    for k in range(12):
        first = k // (12 // group) * each
        for i in range(outputs.shape[1]):
            for j in range(outputs.shape[2]):
                met = x[first : first + each, 2 * i : 2 * i + 3, j : j + 3 : 2]
                outputs[k, i, j] = (met * w[k]).sum()
    return outputs


def test_moments_are_those_of_the_rows():
    x = np.random.default_rng(0).normal(1, 2, (500, 2, 3)).astype(np.float32)
    moments = Moments(np.zeros((2, 3, 3), np.float32), np.zeros((2, 3)))
    for part in np.split(x, 5):
        moments.see(part)
    for k in range(2):
        np.testing.assert_allclose(moments.matrix(True)[k], np.cov(x[:, k].T, bias=True), rtol=1e-4)
        plain = x[:, k].T @ x[:, k] / 500
        np.testing.assert_allclose(moments.matrix(False)[k], plain, rtol=1e-4)


def test_a_net_rounded_so_is_as_standard_and_another_one(tmp_path):
    net = read_float_net(write_net(tmp_path / "net.onnx"), info()).calibrated(pictures(32))
    plain, fitted = (net.quantized(Settings(fit=fit)) for fit in (False, True))
    kinds = [[n.op_type for n in m.graph.node] for m in (plain, fitted)]
    assert kinds[0] == kinds[1] and plain != fitted
