"""Every algorithm of both gradients, on every instruction set, against float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.conv import (
    GRADIENTS,
    ConvSpec,
    choose_gradient,
    conv2d_filter_gradient,
    conv2d_input_gradient,
    conv_transpose2d,
    gradient_parts,
)
from darter.errors import OptionError, ShapeError, UnsupportedError
from tests.references.convolution import conv2d_reference
from tests.references.gradients import filter_gradient_reference, input_gradient_reference

EPSILON = 2.0**-24
ALL = [(of, name) for of in GRADIENTS for name in GRADIENTS[of]]


@st.composite
def specs(draw, of, name):
    small = st.integers(1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per_group, filters = draw(st.integers(1, 36)), draw(st.integers(1, 20))
    r, s = draw(small), draw(small)
    stride, dilation = draw(st.tuples(small, small)), draw(st.tuples(small, small))
    if name.startswith("winograd"):
        groups, stride, dilation, r, s = 1, (1, 1), (1, 1), 3, 3
        filters = draw(st.integers(1, 70))
    if name.startswith("few-channels"):
        groups, per_group, dilation = 1, draw(st.integers(1, 4)), (dilation[0], 1)
        s, filters = draw(st.integers(1, 8)), draw(st.integers(1, 70))
    if name.startswith("depthwise"):
        r, s = draw(st.integers(1, 7)), draw(st.integers(1, 7))
        groups, per_group, filters = per_group, 1, 1
    most = [3, 3]
    if name == "depthwise-rotated" or (of == "input" and name.startswith("winograd")):
        stride = (1, 1)
        most = [min(3, d * (taps - 1)) for d, taps in zip(dilation, (r, s), strict=True)]
    padding = draw(st.tuples(*[st.integers(0, m) for m in most * 2]))
    n, h, w = draw(st.integers(0, 3)), draw(st.integers(1, 20)), draw(st.integers(1, 40))
    h, w = max(h, (r - 1) * dilation[0] + 1), max(w, (s - 1) * dilation[1] + 1)
    return ConvSpec(
        (n, per_group * groups, h, w), (filters * groups, per_group, r, s),
        stride, padding, dilation, groups,
    )  # fmt: skip


def arrays(spec, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, np.float32) for shape in (spec.x, spec.w, spec.y)]


def bound(of, name, spec, size):
    """Largest error that rounding may cause; `size` is Σ|a||b| per number of the gradient.

    A sum of n products in any order errs by at most n ε Σ|a||b|. Winograd spreads errors over
    tiles: 48 times the root mean square that `error` states, for operands of unit variance, as for
    forward. An operand that is rounded to bfloat16 moves by at most 2^-8 of itself.
    """
    depth = spec.w[0] // spec.groups * spec.w[2] * spec.w[3]
    if of == "filter":
        depth = spec.y[0] * spec.y[2] * spec.y[3]
    if name.startswith("winograd"):
        return 48 * GRADIENTS[of][name].error(spec) * max(depth, 16) ** 0.5
    rounding = 2.01 * 2.0**-8 if name.endswith("bfloat16") else 0.0
    return (rounding + (depth + 3) * EPSILON) * size


def compute(of, name, spec, x, w, dy, *, accumulate=False):
    """The gradient, plain; outputs and scratch memory begin as NaN."""
    core = GRADIENTS[of][name].core
    if of == "input":
        gradient = kernels.input_gradient(core, spec.numbers())
        gradient.set_filters(np.full_like(w, np.nan))
        dx = np.full(kernels.blocked_shape(spec.x), np.nan, np.float32)
        gradient.run(kernels.to_blocked(dy), dx, False)
        gradient.set_filters(w)
        if accumulate:
            dx = kernels.to_blocked(x)
        gradient.run(kernels.to_blocked(dy), dx, accumulate)
        blocked = kernels.to_blocked(kernels.from_blocked(dx, spec.x[1]))
        np.testing.assert_array_equal(dx, blocked, err_msg="missing channels are 0")
        return kernels.from_blocked(dx, spec.x[1])
    gradient = kernels.filter_gradient(core, spec.numbers())
    dw = np.full(spec.w, np.nan, np.float32)
    nan = np.full(kernels.blocked_shape(spec.x), np.nan, np.float32)
    split = gradient_parts(spec, gradient.sum_floats)
    gradient.run(nan, kernels.to_blocked(dy), dw, split)
    gradient.run(kernels.to_blocked(x), kernels.to_blocked(dy), dw, split)
    return dw


def check(of, name, spec, seed, threads, accumulate=False):
    x, w, dy = arrays(spec, seed)
    with kernels.using_threads(threads):
        fast = compute(of, name, spec, x, w, dy, accumulate=accumulate)
    if of == "input":
        truth = input_gradient_reference(spec, dy, w)
        size = input_gradient_reference(spec, np.abs(dy), np.abs(w))
        if accumulate:
            truth, size = truth + x, size + np.abs(x)
    else:
        truth = filter_gradient_reference(spec, x, dy)
        size = filter_gradient_reference(spec, np.abs(x), np.abs(dy))
    error = np.abs(fast - truth)
    assert (error <= bound(of, name, spec, size)).all(), error.max(initial=0)


def multiplies(name):
    """Whether the CPU has the products, with the active instruction set."""
    return kernels.has_bfloat16() or not name.endswith("bfloat16")


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize(("of", "name"), ALL)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_gradient_equals_reference(isa, of, name, data):
    spec = data.draw(specs(of, name))
    accumulate = of == "input" and data.draw(st.booleans())
    with kernels.using_isa(isa):
        if not multiplies(name):
            assert "multiplies bfloat16" in GRADIENTS[of][name].refuses(spec)
            return
        assert GRADIENTS[of][name].refuses(spec) is None
        check(
            of, name, spec, data.draw(st.integers(0, 9)), data.draw(st.integers(1, 3)), accumulate
        )


LARGE = [  # several chunks of pixels, groups of tiles, first layers, 1x1 with stride
    ConvSpec((2, 130, 15, 14), (70, 130, 3, 3), padding=1),
    ConvSpec((3, 32, 30, 31), (48, 32, 3, 3), padding=1),
    ConvSpec((2, 3, 61, 75), (64, 3, 7, 7), stride=2, padding=3),
    ConvSpec((1, 3, 63, 63), (96, 3, 11, 11), stride=4),
    ConvSpec((3, 64, 30, 31), (96, 64, 1, 1)),
    ConvSpec((2, 64, 29, 29), (32, 64, 1, 1), stride=2),
    ConvSpec((2, 72, 28, 28), (72, 1, 5, 5), stride=2, padding=2, groups=72),
    ConvSpec((9, 40, 13, 13), (40, 1, 3, 3), padding=1, groups=40),
    ConvSpec((2, 64, 14, 14), (64, 8, 3, 3), padding=1, groups=8),
    ConvSpec((1, 20, 12, 700), (33, 20, 1, 3)),
]


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize("spec", LARGE, ids=str)
def test_shapes_of_real_nets(isa, spec):
    with kernels.using_isa(isa):
        for of, name in ALL:
            if GRADIENTS[of][name].refuses(spec) is None:
                check(of, name, spec, 1, 2)


def test_gradients_agree_with_finite_differences():
    """The reference itself: d(dy · conv(x, w)) along a random direction."""
    spec = ConvSpec((2, 6, 9, 8), (4, 3, 3, 2), (2, 1), (1, 0, 2, 1), (1, 2), 2)
    x, w, dy = (a.astype(np.float64) for a in arrays(spec, 0))
    rng = np.random.default_rng(1)
    along_x, along_w = rng.standard_normal(spec.x), rng.standard_normal(spec.w)

    def slope(f):
        return ((f(1e-3) - f(-1e-3)) * dy).sum() / 2e-3

    by_x = slope(lambda t: conv2d_reference(spec, x + t * along_x, w))
    by_w = slope(lambda t: conv2d_reference(spec, x, w + t * along_w))
    assert by_x == pytest.approx((input_gradient_reference(spec, dy, w) * along_x).sum(), rel=1e-9)
    assert by_w == pytest.approx((filter_gradient_reference(spec, x, dy) * along_w).sum(), rel=1e-9)


WHOLE = [  # sums that no part of a batch has for itself; all transformed tiles of one side at once
    ConvSpec((2, 130, 15, 14), (70, 130, 3, 3), padding=1),
    ConvSpec((3, 40, 56, 57), (150, 40, 3, 3), padding=1),
    ConvSpec((3, 150, 56, 57), (40, 150, 3, 3), padding=1),
]


@pytest.mark.parametrize("name", ["winograd-4", "winograd-4-bfloat16"])
@pytest.mark.parametrize("spec", WHOLE, ids=str)
def test_filter_gradients_of_a_whole_batch(spec, name):
    if not multiplies(name):
        pytest.skip("this CPU does not multiply bfloat16")
    check("filter", name, spec, 1, 2)


@pytest.mark.parametrize(("of", "name"), ALL)
def test_threads_change_no_bit(of, name):
    if not multiplies(name):
        pytest.skip("this CPU does not multiply bfloat16")
    channels = 3 if name.startswith("few-channels") else 40
    groups = 40 if name.startswith("depthwise") else 1
    specs = [
        ConvSpec((9, channels, 14, 14), (40, channels // groups, 3, 3), padding=1, groups=groups)
    ]
    if of == "filter" and name.startswith("winograd"):
        specs.append(WHOLE[0])
    for spec in specs:
        x, w, dy = arrays(spec, 0)
        results = []
        for threads in (1, 2, 3):
            with kernels.using_threads(threads):
                results.append(compute(of, name, spec, x, w, dy))
        assert all((r == results[0]).all() for r in results)


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_transposed_convolution_is_pytorchs(data):
    torch = pytest.importorskip("torch")
    groups, stride, dilation = (data.draw(st.integers(1, 3)) for _ in range(3))
    more = data.draw(st.integers(0, stride - 1))
    padding, k, c = (data.draw(st.integers(0, 2)), *(data.draw(st.integers(1, 20)) for _ in "kc"))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, k * groups, 6, 5), np.float32)
    w = rng.standard_normal((k * groups, c, 3, 4), np.float32)
    bias = rng.standard_normal(c * groups).astype(np.float32)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected = torch.nn.functional.conv_transpose2d(
        *map(torch.from_numpy, (x, w, bias)), output_padding=more, **options
    )
    got = conv_transpose2d(x, w, bias, output_padding=more, **options)
    np.testing.assert_allclose(got, expected.numpy(), atol=2e-4)


def test_choice_and_errors_are_sentences():
    spec = ConvSpec((16, 64, 56, 56), (64, 64, 3, 3), padding=1)
    assert choose_gradient(spec, "filter").algorithm.startswith("winograd")
    assert "refused: needs as many groups" in str(choose_gradient(spec, "input"))
    x, w, dy = arrays(ConvSpec((1, 3, 9, 9), (4, 3, 3, 3)), 0)
    with pytest.raises(ShapeError, match=r"dy must be \(1, 4, 9, 9\)"):
        conv2d_input_gradient(dy, w, x.shape, padding=1)
    with pytest.raises(ShapeError, match="dy must be"):
        conv2d_filter_gradient(x, dy, (2, 2))
    with pytest.raises(UnsupportedError, match="needs stride 1"):
        choose_gradient(ConvSpec(x.shape, w.shape, 2), "filter", algorithm="winograd-2")
    with pytest.raises(OptionError, match="choose from auto, direct"):
        choose_gradient(spec, "input", algorithm="magic")
    with pytest.raises(OptionError, match="output_padding"):
        conv_transpose2d(dy, w, stride=2, output_padding=2)
