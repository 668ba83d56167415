"""Layouts, on every instruction set, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter import kernels


def blocked_reference(x):
    """(N, C, H, W) to (N, ceil(C / 16), H, W, 16)."""
    n, c, h, w = x.shape
    filled = np.zeros((n, -(-c // 16) * 16, h, w), np.float32)
    filled[:, :c] = x
    return filled.reshape(n, filled.shape[1] // 16, 16, h, w).transpose(0, 1, 3, 4, 2)


@pytest.mark.parametrize("isa", kernels.available_isas())
@given(
    shape=st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(1, 20), st.integers(1, 70)),
    offset=st.integers(0, 15),
    threads=st.integers(1, 3),
)
def test_layouts_equal_reference(isa, shape, offset, threads):
    """offset: of the first pixel from a cache line, in numbers."""
    size = int(np.prod(shape))
    room = np.random.default_rng(0).standard_normal(size + 32, np.float32)
    first = -(room.ctypes.data // 4) % 16 + offset
    x = room[first : first + size].reshape(shape)
    with kernels.using_isa(isa), kernels.using_threads(threads):
        blocked = kernels.to_blocked(x)
        back = kernels.from_blocked(blocked, shape[1])
    np.testing.assert_array_equal(blocked, blocked_reference(x))
    np.testing.assert_array_equal(back, x)
