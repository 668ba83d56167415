import platform
import resource

import numpy as np
import pytest

from darter.machine import Memory, allocator, keeping_freed

LARGE = 64 << 20  # bytes: above what glibc ever keeps by itself


def pages_of_a_large_buffer():
    """How many pages the kernel had to give for a buffer that is freed again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(LARGE, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.fixture
def available(monkeypatch):
    def tell(size):
        monkeypatch.setattr(allocator, "memory_now", lambda: Memory(2**40, size))

    return tell


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="is about glibc")
def test_a_second_buffer_takes_the_pages_of_the_first(available):
    available(2**40)
    with keeping_freed() as kept:
        assert kept
        pages_of_a_large_buffer()
        with keeping_freed():
            assert pages_of_a_large_buffer() < 8
        assert pages_of_a_large_buffer() < 8  # the inner block's end gave nothing back
    assert pages_of_a_large_buffer() > 16


def test_nothing_is_kept_where_memory_is_short(available):
    available(allocator.PLENTY - 1)
    with keeping_freed() as kept:
        assert not kept


def test_another_c_library_is_left_alone(monkeypatch, available):
    available(2**40)
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    with keeping_freed() as kept:
        assert not kept
