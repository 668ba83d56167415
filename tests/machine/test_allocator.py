import platform
import resource

import numpy as np
import pytest

from darter.machine import Memory, allocator, keeping_freed

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="is about glibc")

SMALL, LARGE = 20 << 20, 256 << 20  # bytes: below and above the largest threshold of glibc


def pages_of_a_buffer(size):
    """How many pages the kernel had to give for a buffer that is freed again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(size, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.fixture
def available(monkeypatch):
    def tell(size):
        monkeypatch.setattr(allocator, "memory_now", lambda: Memory(2**40, size))

    return tell


def test_a_second_buffer_takes_the_pages_of_the_first(available):
    available(2**40)
    with keeping_freed():
        pages_of_a_buffer(LARGE)
        with keeping_freed():
            assert pages_of_a_buffer(LARGE) < 8
        assert pages_of_a_buffer(LARGE) < 8  # the inner block's end gave nothing back
    assert pages_of_a_buffer(LARGE) > 16


def test_where_memory_is_short_only_smaller_buffers_are_kept(available):
    available(allocator.PLENTY - 1)
    with keeping_freed():
        pages_of_a_buffer(SMALL)
        assert pages_of_a_buffer(SMALL) < 8
        pages_of_a_buffer(LARGE)
        assert pages_of_a_buffer(LARGE) > 16


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    monkeypatch.setattr(allocator, "_tell", lambda *_: pytest.fail("was told something"))
    with keeping_freed():
        pass
