"""Every algorithm, on every instruction set, against float64."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.conv import ALGORITHMS, ConvSpec, candidates, conv2d, prepare
from darter.errors import OptionError, ShapeError, UnsupportedError
from tests.references.convolution import conv2d_reference, magnitude, round_to_bfloat16

EPSILON = 2.0**-24


def bound(name, spec, size):
    """Largest error that rounding may cause; `size` is Σ|x||w| per output.

    A sum of n float32 products in any order errs by at most n ε Σ|x||w|, with ε = 2⁻²⁴; the bias,
    the residual and a product rounded apart (no FMA) add 3. Winograd and FFT spread the error of
    a tile's largest outputs over all of it, so their bound is one number: 48 times the measured
    root mean square (docs/accuracy.md) for x and w of unit variance, as they are here. Of millions
    of outputs the worst was 40.4 times.
    """
    depth = spec.w[1] * spec.w[2] * spec.w[3]
    if name.startswith(("winograd", "fft")):
        return 48 * ALGORITHMS[name].error(spec) * depth**0.5
    return (depth + 3) * EPSILON * size


FILTERS = {
    "winograd-2": [(3, 3), (5, 5), (1, 7), (7, 1)],
    "winograd-4": [(3, 3), (5, 5), (1, 3), (3, 1)],
    "winograd-6": [(3, 3), (1, 3), (3, 1)],
    "winograd-4-on-the-fly": [(3, 3)],
    "winograd-2-bfloat16": [(3, 3)],
    "winograd-4-bfloat16": [(3, 3)],
    "fft-16": [(1, 1), (2, 3), (7, 7), (15, 15)],
    "fft-32": [(1, 9), (5, 5), (16, 15), (2, 31)],
    "fft-64": [(3, 4), (31, 31), (7, 63)],
}


@st.composite
def specs(draw, name):
    small = st.integers(1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per_group, filters = draw(st.integers(1, 36)), draw(st.integers(1, 20))
    r, s = draw(small), draw(small)
    stride = draw(st.tuples(small, small))
    dilation = draw(st.tuples(small, small))
    if name.startswith(("winograd", "fft")):
        groups, stride, dilation = 1, 1, 1
        filters = draw(st.integers(1, 70))
        r, s = draw(st.sampled_from(FILTERS[name]))
        if name.startswith("fft") and draw(st.booleans()):  # depthwise
            groups, per_group, filters = per_group, 1, 1
    if name == "depthwise":
        r, s = draw(st.integers(1, 7)), draw(st.integers(1, 7))
        groups, per_group, filters = per_group, 1, 1
    padding = draw(st.tuples(*[st.integers(0, 3)] * 4))
    n, h, w = draw(st.integers(0, 3)), draw(st.integers(1, 20)), draw(st.integers(1, 40))
    reach_h, reach_w = (r - 1) * np.max(dilation), (s - 1) * np.max(dilation)
    h, w = max(h, int(reach_h) + 1), max(w, int(reach_w) + 1)
    return ConvSpec(
        (n, per_group * groups, h, w), (filters * groups, per_group, r, s),
        stride, padding, dilation, groups,
    )  # fmt: skip


def arrays(spec, seed):
    rng = np.random.default_rng(seed)
    shapes = (spec.x, spec.w, spec.w[:1], spec.y)
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


@functools.lru_cache(maxsize=8)
def truth_and_size(spec, seed, activation, with_residual, rounded):
    """rounded: x and w are rounded to bfloat16 first, as bfloat16 algorithms do."""
    x, w, bias, residual = arrays(spec, seed)
    if rounded:
        x, w = round_to_bfloat16(x), round_to_bfloat16(w)
    residual = residual if with_residual else None
    truth = conv2d_reference(spec, x, w, bias, residual, activation)
    return truth, magnitude(spec, x, w, bias, residual)


LAYOUTS = list(itertools.product(["plain", "blocked"], repeat=2))  # of x, of y


def run(layer, x, residual, x_layout, y_layout):
    """The result, plain; outputs and scratch memory begin as NaN."""
    spec = layer.spec
    given = kernels.to_blocked(x) if x_layout == "blocked" else x
    shape = kernels.blocked_shape(spec.y) if y_layout == "blocked" else spec.y
    out = np.full(shape, np.nan, np.float32)
    if residual is not None and y_layout == "blocked":
        residual = kernels.to_blocked(residual)
    layer(np.full_like(given, np.nan), out)
    layer(given, out, residual)
    return kernels.from_blocked(out, spec.w[0]) if y_layout == "blocked" else out


def check(name, spec, seed, threads, activation, with_residual, layouts):
    x, w, bias, residual = arrays(spec, seed)
    if not with_residual:
        residual = None
    with kernels.using_threads(threads):
        layer = prepare(spec, w, bias, activation=activation, algorithm=name)
        fast = run(layer, x, residual, *layouts)
    rounded = name == "direct-bfloat16"  # Winograd rounds transformed x and w instead
    truth, size = truth_and_size(spec, seed, activation, with_residual, rounded)
    assert (np.abs(fast - truth) <= bound(name, spec, size)).all(), np.abs(fast - truth).max()


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize("name", ALGORITHMS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_algorithm_equals_reference(isa, name, data):
    spec = data.draw(specs(name))
    options = data.draw(
        st.tuples(
            st.integers(0, 9), st.integers(1, 3), st.sampled_from([None, "relu", "relu6"]),
            st.booleans(), st.sampled_from(LAYOUTS),
        )
    )  # fmt: skip
    with kernels.using_isa(isa):
        check(name, spec, *options)


LARGE = [  # several groups of tiles, several chunks of channels, first layers, 1x1
    ConvSpec((3, 300, 14, 14), (70, 300, 3, 3), padding=1),
    ConvSpec((1, 64, 57, 58), (96, 64, 3, 3), padding=1),
    ConvSpec((1, 528, 7, 7), (48, 528, 3, 3), padding=1),
    ConvSpec((1, 75, 12, 12), (80, 75, 3, 3), padding=1),
    ConvSpec((1, 3, 61, 75), (64, 3, 7, 7), stride=2, padding=3),
    ConvSpec((1, 3, 63, 63), (96, 3, 11, 11), stride=4),
    ConvSpec((2, 256, 30, 31), (64, 256, 1, 1)),
    ConvSpec((1, 192, 17, 17), (64, 192, 1, 7), padding=(0, 3)),
    ConvSpec((1, 144, 28, 28), (144, 1, 5, 5), stride=2, padding=2, groups=144),
    ConvSpec((1, 48, 40, 56), (48, 1, 31, 31), padding=15, groups=48),
    ConvSpec((2, 20, 20, 150), (40, 20, 3, 3), padding=2),
]


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize("spec", LARGE, ids=str)
def test_shapes_of_real_nets(isa, spec):
    with kernels.using_isa(isa):
        for name in candidates(spec):
            check(name, spec, 1, 2, "relu", False, ("blocked", "blocked"))


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize("name", ALGORITHMS)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_layouts_change_no_bit(isa, name, data):
    large = [spec for spec in LARGE if name in candidates(spec)]
    spec = data.draw(st.one_of(specs(name), *(st.just(spec) for spec in large)))
    x, w, bias, residual = arrays(spec, 0)
    with kernels.using_isa(isa), kernels.using_threads(data.draw(st.integers(1, 3))):
        layer = prepare(spec, w, bias, activation="relu", algorithm=name)
        first, *others = (run(layer, x, residual, *layouts) for layouts in LAYOUTS)
    for layouts, other in zip(LAYOUTS[1:], others, strict=True):
        np.testing.assert_array_equal(first, other, err_msg=str(layouts))


def test_kernels_are_not_trusted_blindly():
    """The bound notices one wrong weight."""
    spec = ConvSpec((1, 20, 9, 9), (20, 20, 3, 3), padding=1)
    x, w, _, _ = (round_to_bfloat16(a) for a in arrays(spec, 0))  # so that one truth is for all
    for name in candidates(spec):
        wrong = w.copy()
        wrong[3, 4, 1, 1] += 4 if name.startswith("winograd") and "bfloat16" in name else 0.0625
        wrong = round_to_bfloat16(wrong)
        error = np.abs(conv2d(x, wrong, padding=1, algorithm=name) - conv2d_reference(spec, x, w))
        assert (error > bound(name, spec, magnitude(spec, x, w))).any(), name


@pytest.mark.parametrize("name", ["direct", "im2col"])
def test_nan_and_infinity_stay_where_they_are_seen(name):
    x, w = np.ones((1, 17, 12, 12), np.float32), np.ones((18, 17, 3, 3), np.float32)
    x[0, 3, 5, 5] = np.nan
    x[0, 2, 10, 2] = np.inf
    y = conv2d(x, w, padding=1, activation="relu", algorithm=name)
    nan = np.zeros((12, 12), bool)
    nan[4:7, 4:7] = True
    infinite = np.zeros((12, 12), bool)
    infinite[9:12, 1:4] = True
    assert (np.isnan(y) == nan).all()
    assert (np.isinf(y) == infinite).all()


def test_groups_apart_by_blocks_do_not_see_each_others_nan():
    x, w = np.zeros((1, 64, 5, 5), np.float32), np.ones((64, 32, 1, 1), np.float32)
    x[0, 5, 2, 2] = np.nan
    nan = np.isnan(conv2d(x, w, groups=2, algorithm="direct")).any(axis=(0, 2, 3))
    assert nan[:32].all() and not nan[32:].any()


@pytest.mark.parametrize("name", [n for n in ALGORITHMS if n.startswith(("winograd", "fft"))])
def test_tiles_never_hides_nan(name):
    x, w = np.ones((1, 17, 12, 12), np.float32), np.ones((18, 17, 3, 3), np.float32)
    x[0, 3, 5, 5] = np.nan
    y = conv2d(x, w, padding=1, activation="relu", algorithm=name)
    assert np.isnan(y[:, :, 4:7, 4:7]).all()


def test_result_does_not_depend_on_threads():
    spec = ConvSpec((1, 64, 30, 30), (96, 64, 3, 3), padding=1)
    x, w, bias, _ = arrays(spec, 0)
    for name in candidates(spec):
        results = []
        for threads in (1, 2, 3):
            with kernels.using_threads(threads):
                results.append(conv2d(x, w, bias, padding=1, algorithm=name))
        assert all((r == results[0]).all() for r in results), name


def test_dlpack_arrays_are_taken():
    torch = pytest.importorskip("torch")
    x, w = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3)
    expected = torch.nn.functional.conv2d(x, w).numpy()
    np.testing.assert_allclose(conv2d(x, w), expected, atol=1e-4)


def test_errors_name_the_shapes():
    x, w = np.zeros((1, 8, 8, 3), np.float32), np.zeros((4, 3, 3, 3), np.float32)
    with pytest.raises(ShapeError, match=r"x has 8 channels but w expects 3.*channels-last"):
        conv2d(x, w)
    with pytest.raises(ShapeError, match="exceeds the image"):
        conv2d(np.zeros((1, 3, 2, 9), np.float32), w)
    with pytest.raises(UnsupportedError, match=r"winograd-4 .* needs stride 1"):
        conv2d(np.zeros((1, 3, 9, 9), np.float32), w, stride=2, algorithm="winograd-4")
    with pytest.raises(OptionError, match="choose from auto, direct"):
        conv2d(np.zeros((1, 3, 9, 9), np.float32), w, algorithm="magic")
    layer = prepare(ConvSpec((1, 3, 9, 9), (4, 3, 3, 3)), w)
    with pytest.raises(ShapeError, match="this layer takes"):
        layer(np.zeros((1, 3, 9, 8), np.float32))
