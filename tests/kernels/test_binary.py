"""Convolutions of +1 and -1 against whole numbers, on every instruction set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.errors import ShapeError
from darter.kernels import BinaryConv, pack_signs
from tests.references.net import conv

SIDES = st.integers(1, 3)


def unpacked(bits, channels):
    """(N, H, W, words) to booleans (N, C, H, W); whether the bits past C are 0."""
    n, h, w, _ = bits.shape
    every = np.unpackbits(bits.view(np.uint8), bitorder="little").reshape(n, h, w, -1)
    return every[..., :channels].transpose(0, 3, 1, 2).astype(bool), not every[..., channels:].any()


@pytest.mark.parametrize("isa", kernels.available_isas())
@given(
    channels=st.integers(1, 200), filters=st.integers(1, 70), side=st.tuples(SIDES, SIDES),
    picture=st.tuples(st.integers(3, 9), st.integers(3, 12)), n=st.integers(1, 3),
    stride=st.tuples(SIDES, SIDES), padding=st.tuples(*[st.integers(0, 2)] * 4),
    dilation=st.sampled_from([(1, 1), (1, 1), (2, 2)]), seed=st.integers(0, 99),
    threads=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_binary_convolution_equals_whole_numbers(
    isa, channels, filters, side, picture, n, stride, padding, dilation, seed, threads
):
    reach = [(s - 1) * d + 1 for s, d in zip(side, dilation, strict=True)]
    if any(p + a + b < r for p, a, b, r in zip(picture, padding, padding[2:], reach, strict=False)):
        return
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, channels, *picture)).astype(np.float32)
    w = rng.standard_normal((filters, channels, *side)).astype(np.float32)
    w[rng.random(w.shape) < 0.05] = 0  # a sign, too
    at = rng.standard_normal(channels).astype(np.float32)
    scale, bias, slope, shift, bound = rng.standard_normal((5, filters)).astype(np.float32)
    scale[rng.random(filters) < 0.2] = 0
    window = {"strides": stride, "pads": padding, "dilations": dilation, "group": 1}
    plain = {**window, "border": "zeros", "activation": None}
    signs = np.where(x >= at[:, None, None], 1, -1)
    sums = conv(plain, signs, np.where(w >= 0, 1, -1), np.zeros(filters, int))
    column = (slice(None), None, None)
    value = sums.astype(np.float32) * scale[column] + bias[column]
    residual = rng.standard_normal(sums.shape).astype(np.float32)
    total = value + residual
    expected = np.where(total >= 0, total, total * slope[column]) + shift[column]

    with kernels.using_isa(isa), kernels.using_threads(threads):
        bits = pack_signs(x, at)
        layer = BinaryConv(
            w, picture, scale=scale, bias=bias, slope=slope, shift=shift, stride=stride,
            padding=padding, dilation=dilation,
        )  # fmt: skip
        got, packed = layer(bits, residual), layer.to_bits(bits, bound)
    ones, clean = unpacked(bits, channels)
    np.testing.assert_array_equal(ones, signs > 0)
    assert clean
    np.testing.assert_array_equal(got, expected)
    ones, clean = unpacked(packed, filters)
    np.testing.assert_array_equal(ones, value >= bound[column])
    assert clean


def test_not_a_number_is_minus_one():
    x = np.array([[[[np.nan]], [[0.0]], [[-0.0]], [[np.inf]]]], np.float32)
    assert unpacked(pack_signs(x), 4)[0].ravel().tolist() == [False, True, True, True]


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match="expected \\(N, C, H, W\\)"):
        pack_signs(np.zeros((3, 4)))
    with pytest.raises(ShapeError, match="expected 3 thresholds"):
        pack_signs(np.zeros((1, 3, 2, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="x has another size"):
        BinaryConv(np.ones((4, 3, 3, 3)), (8, 8))(np.zeros((1, 8, 7, 1), np.uint64))
