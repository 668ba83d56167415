"""Steps of whole nets, and programs that run lists of them, in the compiled core.

A blocked array is told by (n, channels, h, w, of_blocks): (n, ceil(channels / 16), h, w, 16)
floats, or the first blocks of an array that has `of_blocks` of them. An activation is told by
(kind, a, b) as in `darter.net.ops.Activation`. The functions are those of
src/kernels/net/steps.hpp, which says what each computes.
"""

from darter.kernels._core import net as steps

Array = tuple[int, int, int, int, int]
Named = tuple[str, float, float]

NO_ACTIVATION: Named = ("none", 0.0, 0.0)

__all__ = ["NO_ACTIVATION", "Array", "Named", "steps"]
