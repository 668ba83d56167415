"""Kernels of 8-bit integers against a plain reference: the same bits on every instruction set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.errors import ShapeError
from darter.kernels import (
    IntegerConv,
    Residual,
    Rounding,
    add_integers,
    dequantize,
    quantize,
)
from tests.references import integers

ISAS = pytest.mark.parametrize("isa", kernels.available_isas())
SIDES = st.integers(1, 3)


def bytes_of(rng, shape):
    """Drawn from all bytes; sometimes the extremes alone, where sums that saturate would show."""
    return (
        rng.choice([0, 255], shape).astype(np.uint8)
        if rng.random() < 0.3
        else rng.integers(0, 256, shape).astype(np.uint8)
    )


def filters_of(rng, shape):
    if rng.random() < 0.3:
        return rng.choice([-128, 127], shape).astype(np.int8)
    return rng.integers(-128, 128, shape).astype(np.int8)


def rounding_of(rng, zero):
    low, high = sorted(rng.integers(0, 256, 2).tolist())
    return Rounding(zero, low, high) if rng.random() < 0.5 else Rounding(zero)


@ISAS
@given(
    channels=st.one_of(st.integers(1, 5), st.integers(6, 70)), filters=st.integers(1, 70),
    alone=st.booleans(), side=st.tuples(SIDES, st.integers(1, 6)), n=st.integers(1, 3),
    picture=st.tuples(st.integers(3, 9), st.integers(3, 17)), stride=st.tuples(SIDES, SIDES),
    padding=st.tuples(*[st.integers(0, 2)] * 4), seed=st.integers(0, 999),
    dilation=st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 2)]), threads=st.integers(1, 3),
    kind=st.sampled_from(["bytes", "sum", "floats"]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_convolution_equals_whole_numbers(
    isa, channels, filters, alone, side, n, picture, stride, padding, seed, dilation, threads, kind
):
    reach = [(s - 1) * d + 1 for s, d in zip(side, dilation, strict=True)]
    if any(p + a + b < r for p, a, b, r in zip(picture, padding, padding[2:], reach, strict=False)):
        return
    rng = np.random.default_rng(seed)
    groups, filters = (channels, channels) if alone else (1, filters)
    x = bytes_of(rng, (n, channels, *picture))
    w = filters_of(rng, (filters, channels // groups, *side))
    bias = rng.integers(-100_000, 100_000, filters).astype(np.int32)
    scale = (rng.uniform(0.2, 3, filters) / 200 / np.sqrt(w[0].size)).astype(np.float32)
    scale[rng.random(filters) < 0.1] = rng.choice([0.1, 1e6])  # beyond 32 bits, if not clipped
    x_zero, zero = (int(each) for each in rng.integers(0, 256, 2))
    to = None if kind == "floats" else rounding_of(rng, zero)
    residual = None
    if kind == "sum":
        own, other = (float(np.float32(each)) for each in rng.uniform(0.1, 2, 2))
        if rng.random() < 0.2:
            other *= 2.0**40  # sums beyond 32 bits, if not clipped
        zeros = rng.integers(0, 256, 2).tolist()
        residual = Residual(own, other, zeros[0], rounding_of(rng, zeros[1]), rng.random() < 0.5)
    window = {"strides": stride, "pads": padding, "dilations": dilation, "group": groups}
    out = integers.convolution(x, w, bias, scale, x_zero, None, window).shape
    added = bytes_of(rng, out) if residual else None
    expected = integers.convolution(x, w, bias, scale, x_zero, to, window, residual, added)
    with kernels.using_isa(isa), kernels.using_threads(threads):
        layer = IntegerConv(
            w, picture, scale=scale, bias=bias, x_zero=x_zero, to=to, residual=residual,
            stride=stride, padding=padding, dilation=dilation, groups=groups,
        )  # fmt: skip
        np.testing.assert_array_equal(layer(x, added), expected)


@ISAS
@given(
    channels=st.integers(1, 70), filters=st.integers(1, 150), n=st.integers(1, 30),
    picture=st.tuples(SIDES, SIDES), padded=st.booleans(), seed=st.integers(0, 999),
    threads=st.integers(1, 3), kind=st.sampled_from(["bytes", "sum", "floats"]),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_one_pixel_of_each_picture(isa, channels, filters, n, picture, padded, seed, threads, kind):
    """As fully connected layers give them: filters are read once for all pictures."""
    rng = np.random.default_rng(seed)
    padding = (padded, 0, 0, padded)
    side = picture[0] + padded, picture[1] + padded
    x, w = bytes_of(rng, (n, channels, *picture)), filters_of(rng, (filters, channels, *side))
    bias = rng.integers(-100_000, 100_000, filters).astype(np.int32)
    scale = (rng.uniform(0.2, 3, filters) / 200 / np.sqrt(w[0].size)).astype(np.float32)
    x_zero, zero, *zeros = (int(each) for each in rng.integers(0, 256, 4))
    to = None if kind == "floats" else rounding_of(rng, zero)
    residual, added = None, None
    if kind == "sum":
        own, other = (float(np.float32(each)) for each in rng.uniform(0.1, 2, 2))
        residual = Residual(own, other, zeros[0], rounding_of(rng, zeros[1]), rng.random() < 0.5)
        added = bytes_of(rng, (n, filters, 1, 1))
    window = {"strides": (1, 1), "pads": padding, "dilations": (1, 1), "group": 1}
    expected = integers.convolution(x, w, bias, scale, x_zero, to, window, residual, added)
    with kernels.using_isa(isa), kernels.using_threads(threads):
        layer = IntegerConv(
            w, picture, scale=scale, bias=bias, x_zero=x_zero, to=to, residual=residual,
            padding=padding, algorithm="direct",
        )  # fmt: skip
        np.testing.assert_array_equal(layer(x, added), expected)


@ISAS
@given(
    side=st.sampled_from([(3, 1), (3, 3), (3, 4), (5, 4), (5, 5), (5, 6)]),
    stride=st.integers(1, 3), picture=st.tuples(st.integers(5, 14), st.integers(6, 19)),
    channels=st.integers(1, 40), padding=st.integers(0, 2), n=st.integers(1, 2),
    threads=st.integers(1, 3), seed=st.integers(0, 999),
    to=st.sampled_from([Rounding(), Rounding(128), Rounding(0, 3, 200)]), adds=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_rows_that_lines_share_equal_whole_numbers(
    isa, channels, side, stride, picture, padding, n, seed, threads, to, adds
):
    rng = np.random.default_rng(seed)
    x, w = bytes_of(rng, (n, channels, *picture)), filters_of(rng, (channels, 1, *side))
    bias = rng.integers(-100_000, 100_000, channels).astype(np.int32)
    scale = (rng.uniform(0.2, 3, channels) / 200 / np.sqrt(w[0].size)).astype(np.float32)
    pads = (padding,) * 4
    window = {"strides": (stride, stride), "pads": pads, "dilations": (1, 1), "group": channels}
    residual, added = None, None
    if adds:
        residual = Residual(0.5, 0.75, 7, rounding_of(rng, 3), True)
        added = bytes_of(rng, integers.convolution(x, w, bias, scale, 9, None, window).shape)
    expected = integers.convolution(x, w, bias, scale, 9, to, window, residual, added)
    with kernels.using_isa(isa), kernels.using_threads(threads):
        layer = IntegerConv(
            w, picture, scale=scale, bias=bias, x_zero=9, to=to, residual=residual,
            stride=(stride, stride), padding=pads, groups=channels,
        )  # fmt: skip
        np.testing.assert_array_equal(layer(x, added), expected)


@ISAS
@given(
    channels=st.integers(5, 70), filters=st.integers(1, 150), n=st.integers(1, 3),
    picture=st.tuples(st.integers(1, 14), st.integers(1, 19)),
    side=st.one_of(st.just((3, 3)), st.tuples(st.integers(1, 6), st.integers(1, 6))),
    padding=st.tuples(*[st.integers(1, 2)] * 4), seed=st.integers(0, 999),
    threads=st.integers(1, 3), adds=st.booleans(),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_winograd_equals_whole_numbers(
    isa, channels, filters, n, picture, side, padding, seed, threads, adds
):
    if any(p + a + b < s for p, a, b, s in zip(picture, padding, padding[2:], side, strict=False)):
        return
    rng = np.random.default_rng(seed)
    x = bytes_of(rng, (n, channels, *picture))
    w = filters_of(rng, (filters, channels, *side))
    bias = rng.integers(-100_000, 100_000, filters).astype(np.int32)
    scale = (rng.uniform(0.2, 3, filters) / 200 / np.sqrt(w[0].size)).astype(np.float32)
    x_zero, zero, *zeros = (int(each) for each in rng.integers(0, 256, 4))
    to, residual, added = rounding_of(rng, zero), None, None
    window = {"strides": (1, 1), "pads": padding, "dilations": (1, 1), "group": 1}
    if adds:
        own, other = (float(np.float32(each)) for each in rng.uniform(0.1, 2, 2))
        residual = Residual(own, other, zeros[0], rounding_of(rng, zeros[1]), rng.random() < 0.5)
        out = integers.convolution(x, w, bias, scale, x_zero, None, window).shape
        added = bytes_of(rng, out)
    expected = integers.convolution(x, w, bias, scale, x_zero, to, window, residual, added)
    with kernels.using_isa(isa), kernels.using_threads(threads):
        layer = IntegerConv(
            w, picture, scale=scale, bias=bias, x_zero=x_zero, to=to, residual=residual,
            padding=padding, algorithm="winograd",
        )  # fmt: skip
        assert layer.algorithm == "winograd"
        np.testing.assert_array_equal(layer(x, added), expected)


@ISAS
def test_winograd_where_sums_wrap_around(isa):
    """The largest sums that are below 2^25, whose transformed ones are far beyond 2^31."""
    w = np.full((3, 1024, 3, 3), 14, np.int8)
    w[1], w[2, ::2], w[2, 1::2] = -14, 127, -128
    x = np.full((1, 1024, 9, 10), 255, np.uint8)
    x[:, ::2, ::2, ::3] = 0

    def layer(filters, algorithm):
        return IntegerConv(
            w[:filters], (9, 10), scale=np.full(filters, 1e-5, np.float32), x_zero=0,
            bias=np.arange(-1, filters - 1, dtype=np.int32), to=Rounding(128), algorithm=algorithm,
        )  # fmt: skip

    with kernels.using_isa(isa):
        wrapping, exact = layer(2, "winograd"), layer(2, "direct")
        assert wrapping.algorithm == "winograd"
        np.testing.assert_array_equal(wrapping(x), exact(x))
        assert layer(3, "winograd").algorithm == "direct"


def test_the_algorithm_is_chosen_by_shape():
    def chosen(channels, filters, side, picture, **given):
        w = np.ones((filters, channels, side, side), np.int8)
        numbers = {"scale": np.ones(filters), "bias": np.zeros(filters, np.int32), "x_zero": 0}
        return IntegerConv(w, (picture,) * 2, **numbers, **{"to": Rounding(), **given}).algorithm

    assert chosen(64, 64, 3, 58) == "winograd"
    assert chosen(64, 64, 3, 58, stride=(2, 2)) == "direct"
    assert chosen(64, 64, 3, 58, to=None) == "direct"
    assert chosen(64, 64, 1, 56) == "direct"
    assert chosen(64, 192, 5, 31) == "winograd"
    assert chosen(64, 192, 7, 33) == "direct"
    assert chosen(3, 64, 3, 226) == "direct"  # transforms would take longer than products
    assert chosen(512, 512, 3, 9) == "direct"  # four tiles for 19 MB of filters
    geometry = [512, 9, 9, 512, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, 1]
    assert kernels.steps.integer_algorithm(geometry, 8).name == "winograd"


@ISAS
def test_no_sum_saturates(isa):
    """vpmaddubsw would: 255 * 127 twice is above 2^15."""
    x = np.full((1, 64, 5, 5), 255, np.uint8)
    for weight in (127, -128):
        w = np.full((32, 64, 3, 3), weight, np.int8)
        with kernels.using_isa(isa):
            layer = IntegerConv(
                w,
                (5, 5),
                scale=np.ones(32, np.float32),
                bias=np.zeros(32, np.int32),
                x_zero=0,
                to=None,
            )
            assert (layer(x) == 255 * weight * 64 * 9).all()


@ISAS
@given(count=st.integers(1, 100), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_sums_and_roundings_equal_the_reference(isa, count, seed):
    rng = np.random.default_rng(seed)
    a, b = bytes_of(rng, (2, count))
    zeros = tuple(rng.integers(0, 256, 2).tolist())
    scales = tuple(float(np.float32(each)) for each in rng.uniform(0.1, 2, 2))
    to = rounding_of(rng, int(rng.integers(0, 256)))
    x = (rng.standard_normal(count) * rng.choice([1e-3, 1, 100])).astype(np.float32)
    x[rng.random(count) < 0.3] = np.float32(0.5) * rng.integers(-9, 9)  # ties
    x[rng.random(count) < 0.1] = rng.choice([-np.inf, np.inf])
    step = float(np.float32(rng.choice([0.25, 1.0, rng.uniform(0.01, 1)])))
    with kernels.using_isa(isa):
        total = add_integers(a, b, zeros=zeros, scales=scales, to=to)
        q = quantize(x, step, to)
        back = dequantize(q, step, to.zero)
    np.testing.assert_array_equal(total, integers.add(a, b, zeros, scales, to))
    np.testing.assert_array_equal(q, integers.rounded(x / np.float32(step), to))
    expected = (q.astype(np.float32) - np.float32(to.zero)) * np.float32(step)
    np.testing.assert_array_equal(back, expected)


@ISAS
def test_what_is_no_number_becomes_the_least(isa):
    with kernels.using_isa(isa):
        assert (
            quantize(np.full(20, np.nan, np.float32), 1.0, Rounding(7, 3, 200)).tolist() == [3] * 20
        )


def test_other_shapes_are_refused():
    given = {"scale": np.ones(4), "bias": np.zeros(4, np.int32), "x_zero": 0, "to": Rounding()}
    with pytest.raises(ShapeError, match="may not fit 32 bits"):
        IntegerConv(np.zeros((4, 40_000, 1, 1), np.int8), (1, 1), **given)
    with pytest.raises(ShapeError, match="expected"):
        IntegerConv(np.zeros((4, 3, 3, 3), np.int8), (8, 8), **given)(
            np.zeros((1, 3, 7, 7), np.uint8)
        )
    with pytest.raises(ValueError, match="no window fits"):
        IntegerConv(np.zeros((4, 3, 3, 3), np.int8), (2, 2), **given)
    with pytest.raises(ValueError, match="groups must be 1"):
        IntegerConv(np.zeros((4, 2, 1, 1), np.int8), (2, 2), **given, groups=2)
