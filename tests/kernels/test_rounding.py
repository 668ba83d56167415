"""Rounding to fewer bits: against the formulas, the same on every instruction set, and unbiased."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.errors import OptionError, ShapeError

NUMBERS = st.floats(-300, 300, width=32) | st.floats(-1, 1, width=32)
FORMATS = st.tuples(st.integers(1, 8), st.integers(0, 16))


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4×32 with 10 rounds, as its paper writes it, with Python's whole numbers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (second >> 32) ^ c1 ^ k0, second & 0xFFFFFFFF,
            (first >> 32) ^ c3 ^ k1, first & 0xFFFFFFFF,
        )  # fmt: skip
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def test_reference_is_philox():
    """Known answers of the authors' library (Random123, kat_vectors)."""
    assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def drawn(count: int, seed: int, stream: int) -> np.ndarray:
    """A group of 64 numbers is 16 counters: first the first words of all, then the second ..."""
    numbers = []
    for group in range(-(-count // 64)):
        words = [
            philox(
                [(16 * group + lane) & 0xFFFFFFFF, (16 * group + lane) >> 32,
                 stream & 0xFFFFFFFF, stream >> 32],
                [seed & 0xFFFFFFFF, seed >> 32],
            )
            for lane in range(16)
        ]  # fmt: skip
        numbers += [words[lane][word] for word in range(4) for lane in range(16)]
    return np.array(numbers[:count], np.uint64)


def reference(x, il, fl, rounding, seed=0, stream=0):
    """The paper's formulas in float64; what is outside saturates."""
    epsilon, half = 2.0**-fl, 2.0 ** (il - 1)
    y = np.clip(np.asarray(x, np.float64), -half, half - epsilon) / epsilon
    if rounding == "nearest":
        rounded = np.where(y - np.floor(y) > 0.5, np.floor(y) + 1, np.floor(y))
    else:
        size = np.abs(y)
        cut = np.floor(size)
        chance = np.floor((size - cut) * 2.0**31)
        rounded = np.sign(y) * (cut + (drawn(len(y), seed, stream) // 2 < chance))
    return np.clip(rounded * epsilon, -half, half - epsilon)


@pytest.mark.parametrize("isa", kernels.available_isas())
@given(
    x=st.lists(
        st.floats(-300, 300, width=32) | st.floats(-1, 1, width=32), min_size=1, max_size=99
    ),
    bits=FORMATS,
    rounding=st.sampled_from(kernels.ROUNDINGS),
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**64 - 1),
)
@settings(max_examples=60, deadline=None)
def test_fixed_point_equals_reference(isa, x, bits, rounding, seed, stream):
    x = np.array(x, np.float32)
    with kernels.using_isa(isa):
        got = kernels.round_fixed(x, *bits, rounding=rounding, seed=seed, stream=stream)
    np.testing.assert_array_equal(got, reference(x, *bits, rounding, seed, stream))


@pytest.mark.parametrize("isa", kernels.available_isas())
def test_bfloat16_equals_reference(isa):
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32) * 10
    x[:3] = np.inf, -np.inf, np.nan
    with kernels.using_isa(isa):
        got = kernels.round_bfloat16(x, seed=7, stream=2**40)
    bits = x.view(np.uint32).astype(np.uint64) + (drawn(1000, 7, 2**40) & 0xFFFF)
    expected = (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(got[3:], expected[3:])
    np.testing.assert_array_equal(got[:3], x[:3])


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize("threads", [1, 3])
def test_same_bits_on_every_instruction_set_and_any_threads(isa, threads):
    x = np.random.default_rng(1).standard_normal(100_003).astype(np.float32)
    with kernels.using_isa("scalar"), kernels.using_threads(1):
        fixed, short = kernels.round_fixed(x, 2, 8, seed=5), kernels.round_bfloat16(x, seed=5)
    with kernels.using_isa(isa), kernels.using_threads(threads):
        np.testing.assert_array_equal(kernels.round_fixed(x, 2, 8, seed=5), fixed)
        np.testing.assert_array_equal(kernels.round_bfloat16(x, seed=5), short)


@pytest.mark.parametrize("value", [0.3, -0.3, 2.0**-20, -0.7001, 1.999])
def test_a_million_draws_have_the_right_mean(value):
    """The mean of n draws of variance p (1 - p) ε² is within five standard errors of x."""
    n, epsilon = 1_000_000, 2.0**-10
    x = np.full(n, value, np.float32)
    got = kernels.round_fixed(x, 2, 10, seed=3).astype(np.float64)
    chance = abs(float(x[0])) / epsilon % 1
    error = epsilon * np.sqrt(chance * (1 - chance) / n)
    assert abs(got.mean() - float(x[0])) <= 5 * error + 2.0**-31 * epsilon
    assert set(np.unique(got)) <= {np.floor(x[0] / epsilon) * epsilon,
                                   np.ceil(x[0] / epsilon) * epsilon}  # fmt: skip


def test_a_million_draws_to_bfloat16_have_the_right_mean():
    x = np.full(1_000_000, 1.003, np.float32)
    got = kernels.round_bfloat16(x, seed=1).astype(np.float64)
    chance = (float(x[0]) - 1) * 128  # neighbors of 1 in bfloat16 are 1/128 apart
    assert set(np.unique(got)) == {1.0, 1 + 1 / 128}
    error = np.sqrt(chance * (1 - chance) / len(x)) / 128
    assert abs(got.mean() - float(x[0])) <= 5 * error


def test_numbers_of_the_format_stay_and_others_saturate():
    grid = np.arange(-8, 8, dtype=np.float32) / 4  # all of <3, 2> and outside
    for rounding in kernels.ROUNDINGS:
        got = kernels.round_fixed(grid, 2, 2, rounding=rounding)
        np.testing.assert_array_equal(got, np.clip(grid, -2, 1.75))
    odd = np.array([np.inf, -np.inf, 1e30, np.nan], np.float32)
    np.testing.assert_array_equal(kernels.round_fixed(odd, 2, 2), [1.75, -2, 1.75, np.nan])


def test_rounding_in_place():
    x = np.random.default_rng(2).standard_normal((7, 33)).astype(np.float32)
    expected = kernels.round_fixed(x, 3, 5, seed=1)
    assert kernels.round_fixed(x, 3, 5, seed=1, out=x) is x
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("bits", [(0, 4), (2, -1), (12, 13)])
def test_impossible_formats_are_refused(bits):
    with pytest.raises(OptionError, match="at most 24 together"):
        kernels.round_fixed(np.zeros(3), *bits)
    with pytest.raises(OptionError, match="stochastic or nearest"):
        kernels.round_fixed(np.zeros(3), 2, 2, rounding="up")


def neighbors(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of bfloat16 next to finite x, toward zero and away from it."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    below = bits & np.uint32(0xFFFF0000)
    above = np.where(bits == below, below, below + np.uint32(0x10000))
    return below.view(np.float32), above.view(np.float32)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 400), st.integers(0, 2**32 - 1), st.floats(-2, 2))
def test_rows_in_bfloat16_keep_their_sums(rows, columns, seed, mean):
    draw = np.random.default_rng(seed)
    x = (mean + draw.normal(size=(rows, columns)) * 10.0 ** draw.integers(-3, 3)).astype(np.float32)
    got = kernels.round_rows_bfloat16(x)
    below, above = neighbors(x)
    assert ((got == below) | (got == above)).all()
    nearest = np.where(np.abs(x - below) <= np.abs(above - x), below, above)
    errors, plain = (np.abs((y.astype(float) - x).sum(1)) for y in (got, nearest))
    step = np.abs(above.astype(float) - below).max(1)
    assert (errors <= np.maximum(plain, step) + 1e-12).all()
    if columns >= 100:  # enough to choose from
        assert (errors <= step).all()


def test_rows_in_bfloat16_are_about_as_near_as_the_nearest():
    x = np.random.default_rng(0).normal(size=(64, 300)).astype(np.float32)
    got = kernels.round_rows_bfloat16(x)
    below, above = neighbors(x)
    nearest = np.where(np.abs(x - below) <= np.abs(above - x), below, above)
    assert 0 < (got != nearest).mean() < 0.1
    assert ((got - x) ** 2).sum() <= 1.01 * ((nearest - x) ** 2).sum()


def test_rows_in_bfloat16_with_numbers_beyond_stay():
    x = np.array([[np.inf, 1.001, 2.003], [np.nan, 1.001, 3.39e38], [0, 0, 1e-40]], np.float32)
    got = kernels.round_rows_bfloat16(x.reshape(3, 3, 1))
    assert got.shape == (3, 3, 1)
    np.testing.assert_array_equal(np.isfinite(got[:, :, 0]), np.isfinite(x))
    np.testing.assert_allclose(got[:, 1, 0], x[:, 1], rtol=2**-8)
    assert kernels.round_rows_bfloat16(np.empty((0, 4), np.float32)).shape == (0, 4)
    with pytest.raises(ShapeError, match="rows"):
        kernels.round_rows_bfloat16(np.zeros(4, np.float32))
