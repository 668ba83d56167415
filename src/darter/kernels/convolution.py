"""Convolutions of the compiled core, and the channel-blocked layout that they share.

Blocked arrays are (N, ceil(C / 16), H, W, 16); missing channels hold zeros.
"""

import numpy as np

from darter.errors import ShapeError
from darter.kernels import _core
from darter.kernels._core import Convolution
from darter.kernels.arrays import Floats, as_float32
from darter.kernels.enums import NO_ACTIVATION, Activated

BLOCK = 16


def prepare_convolution(
    core_name: str,
    spec: list[int],
    w: np.ndarray,
    bias: np.ndarray | None,
    activation: Activated = NO_ACTIVATION,
) -> Convolution:
    """Pack (and for Winograd transform) the filters of one layer for the active instruction set.

    spec: n, c, h, w, k, r, s, stride (2), padding (4), dilation (2), groups.
    w: float32 (K, C / groups, R, S), contiguous.   bias: float32 (K,) or None.
    activation: kind and parameters, as in `darter.net.ops.Activation`.
    Returns the core's object, whose `run` computes.
    """
    return _core.prepare_convolution(core_name, spec, w, bias, activation)


def blocked_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int, int]:
    """(N, C, H, W) to the shape of its blocked array."""
    n, c, h, w = shape
    return n, -(-c // BLOCK), h, w, BLOCK


def to_blocked(x: Floats) -> np.ndarray:
    """float32 (N, C, H, W) to (N, ceil(C / 16), H, W, 16), zeros in the missing channels.

    Raises ShapeError for another number of axes.
    """
    x = as_float32("to_blocked: x", x)
    if x.ndim != 4:
        raise ShapeError(f"to_blocked: expected (N, C, H, W), got {x.shape}")
    n, c, h, w = x.shape
    out = np.empty(blocked_shape(x.shape), np.float32)
    _core.to_blocked(np.ascontiguousarray(x), out, n, c, h * w)
    return out


def from_blocked(x: Floats, channels: int) -> np.ndarray:
    """The inverse of `to_blocked`; `channels` is C. ShapeError where x has not so many blocks."""
    x = as_float32("from_blocked: x", x)
    if channels < 1:
        raise ShapeError(f"from_blocked: channels must be positive, got {channels}")
    if x.ndim != 5 or x.shape[4] != BLOCK or x.shape[1] != -(-channels // BLOCK):
        raise ShapeError(
            f"from_blocked: expected (N, {-(-channels // BLOCK)}, H, W, {BLOCK}) for {channels} "
            f"channels, got {x.shape}"
        )
    n, _, h, w, _ = x.shape
    out = np.empty((n, channels, h, w), np.float32)
    _core.from_blocked(np.ascontiguousarray(x), out, n, channels, h * w)
    return out
