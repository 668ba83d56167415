"""Steps of whole nets, and programs that run lists of them, in the compiled core.

A blocked array is told by (n, channels, h, w, of_blocks, element): (n, ceil(channels / 16), h, w,
16) numbers, or the first blocks of an array that has `of_blocks` of them. The functions are those
of src/kernels/net/steps.hpp, which says what each computes.
"""

from darter.kernels import _core as steps

__all__ = ["steps"]
