import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.errors import OptionError, ShapeError
from darter.kernels import _core
from tests.references.convolution import round_to_bfloat16

EPSILON = 2.0**-24
SIZES = st.integers(0, 80)


def bound(a, b, algorithm):
    """k products and sums in any order: k ε |a||b|. Strassen only bounds the largest element."""
    a, b = np.abs(a).astype(np.float64), np.abs(b).astype(np.float64)
    k = a.shape[1]
    if algorithm == "blocked":
        return (k + 1) * EPSILON * (a @ b)
    return (
        (12.0 ** kernels.GEMM_ALGORITHMS[algorithm].value)
        * (k + 40)
        * EPSILON
        * k
        * a.max(initial=0)
        * b.max(initial=0)
    )


@pytest.mark.parametrize("isa", kernels.available_isas())
@pytest.mark.parametrize("algorithm", kernels.GEMM_ALGORITHMS)
@given(m=SIZES, n=SIZES, k=SIZES, seed=st.integers(0, 9), transposed=st.booleans())
@settings(max_examples=30, deadline=None)
def test_gemm_equals_reference(isa, algorithm, m, n, k, seed, transposed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    if transposed:
        a, b = np.asfortranarray(a), np.asfortranarray(b)
    out = np.full((m, n), np.nan, np.float32)
    with kernels.using_isa(isa):
        kernels.gemm(a, b, algorithm=algorithm, out=out)
    error = np.abs(out - a.astype(np.float64) @ b)
    assert (error <= bound(a, b, algorithm)).all()


@pytest.mark.parametrize("isa", kernels.available_isas())
@given(m=SIZES, n=SIZES, k=SIZES, seed=st.integers(0, 9), transposed=st.booleans())
@settings(max_examples=30, deadline=None)
def test_bfloat16_operands_are_rounded_once(isa, m, n, k, seed, transposed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    if transposed:
        a, b = np.asfortranarray(a), np.asfortranarray(b)
    out = np.full((m, n), np.nan, np.float32)
    with kernels.using_isa(isa):
        kernels.gemm(a, b, precision="bfloat16", out=out)
    a, b = round_to_bfloat16(a), round_to_bfloat16(b)
    error = np.abs(out - a.astype(np.float64) @ b)
    assert (error <= bound(a, b, "blocked")).all()


@pytest.mark.parametrize("isa", kernels.available_isas())
def test_bfloat16_keeps_what_is_not_a_number(isa):
    a = np.array([[np.nan, 1], [np.inf, 1], [3e38, 1]], np.float32)
    with kernels.using_isa(isa):
        product = kernels.gemm(a, np.ones((2, 1), np.float32), precision="bfloat16")[:, 0]
    assert np.isnan(product[0])
    assert product[1] == np.inf
    assert product[2] == pytest.approx(3e38, rel=2**-8)


@pytest.mark.parametrize("algorithm", kernels.GEMM_ALGORITHMS)
def test_gemm_of_several_blocks(algorithm):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((300, 700), np.float32), rng.standard_normal((700, 210), np.float32)
    error = np.abs(kernels.gemm(a, b, algorithm=algorithm) - a.astype(np.float64) @ b)
    assert (error <= bound(a, b, algorithm)).all()
    assert error.max() < 1e-3


def test_gemm_says_what_it_wants():
    a = np.zeros((2, 3), np.float32)
    with pytest.raises(ShapeError, match=r"expected a \(m, k\) and b \(k, n\)"):
        kernels.gemm(a, a)
    with pytest.raises(OptionError, match="choose from blocked, strassen"):
        kernels.gemm(a, a.T, algorithm="fast")
    with pytest.raises(OptionError, match="precision is float32 or bfloat16, got 'float16'"):
        kernels.gemm(a, a.T, precision="float16")
    with pytest.raises(OptionError, match="strassen adds before it multiplies"):
        kernels.gemm(a, a.T, algorithm="strassen", precision="bfloat16")
    with pytest.raises(ShapeError, match=r"out must be \(2, 2\), got \(3, 2\)"):
        kernels.gemm(a, a.T, out=np.zeros((3, 2), np.float32))


@pytest.mark.skipif("amx" not in kernels.available_isas(), reason="needs AMX")
@pytest.mark.parametrize("threads", [1, 2])
def test_tiles_of_others_are_survived_and_ours_are_released(threads):
    a = np.random.default_rng(0).standard_normal((70, 96), np.float32)
    b = np.random.default_rng(1).standard_normal((96, 80), np.float32)
    with kernels.using_isa("amx"), kernels.using_threads(threads):
        truth = kernels.gemm(a, b, precision="bfloat16")
        assert not _core.tiles_in_use()
        _core.load_foreign_tiles()
        np.testing.assert_array_equal(kernels.gemm(a, b, precision="bfloat16"), truth)
        assert not _core.tiles_in_use()
