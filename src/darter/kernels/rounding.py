"""Rounding arrays to fewer bits, to nearest or at random so that the mean is kept."""

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError, ShapeError
from darter.kernels import _core
from darter.kernels.arrays import Floats, as_float32, check_out

ROUNDINGS = ("stochastic", "nearest")
MOST_BITS = 24  # of fixed point: float32 holds every such number


def round_fixed(
    x: Floats,
    integer_bits: int,
    fraction_bits: int,
    *,
    rounding: str = "stochastic",
    seed: int = 0,
    stream: int = 0,
    out: np.ndarray | None = None,
) -> NDArray[np.float32]:
    """x as fixed point ⟨IL, FL⟩: multiples of ε = 2⁻ᶠᴸ from -2ᴵᴸ⁻¹ to 2ᴵᴸ⁻¹ - ε, as float32.

    x: float32 of any shape; what is outside saturates, NaN stays NaN.
    integer_bits, fraction_bits: IL >= 1 with the sign, FL >= 0, at most 24 together.
    rounding: "stochastic" rounds up with probability (x - ⌊x⌋) / ε, to 2⁻³¹, so that
        E[Round(x)] = x; "nearest", ties down.
    seed, stream: whole numbers from 0 to 2⁶⁴ - 1. Number i of x is rounded by a random number that
        is a function of (seed, stream, i): the same on every instruction set and number of threads.
    out: where to write, which may be x itself; made where it is None.
    Raises OptionError for bits or a rounding that there is not.
    Source: Gupta et al., arXiv:1502.02551; Salmon et al., SC'11 (Philox 4×32-10).
    """
    if integer_bits < 1 or fraction_bits < 0 or integer_bits + fraction_bits > MOST_BITS:
        raise OptionError(
            f"fixed point <{integer_bits},{fraction_bits}>: expected at least 1 integer bit (the "
            f"sign), 0 or more fractional bits, and at most {MOST_BITS} together"
        )
    if rounding not in ROUNDINGS:
        raise OptionError(f"rounding is {' or '.join(ROUNDINGS)}, got {rounding!r}")
    numbers, out = _both("round_fixed", x, out)
    stochastic = rounding == "stochastic"
    bits = integer_bits, fraction_bits
    _core.round_fixed(numbers.reshape(-1), out.reshape(-1), *bits, stochastic, seed, stream)
    return out


def round_bfloat16(
    x: Floats, *, seed: int = 0, stream: int = 0, out: np.ndarray | None = None
) -> NDArray[np.float32]:
    """x rounded at random to one of its two neighbors in bfloat16, so that the mean is x.

    x: float32 of any shape. The result is float32 of that shape whose lower 16 bits are 0. Infinity
    and NaN stay; the other arguments as for `round_fixed`.
    """
    numbers, out = _both("round_bfloat16", x, out)
    _core.round_bfloat16(numbers.reshape(-1), out.reshape(-1), seed, stream)
    return out


def round_rows_bfloat16(x: Floats) -> NDArray[np.float32]:
    """The rows of a matrix in bfloat16, each with about the sum that it had.

    x: float32 (K, ...), at least two axes; the result is float32 of that shape whose lower 16 bits
    are 0. Each number becomes one of its two neighbors: the nearest, save for the fewest near the
    middle that make the errors of its row cancel. What a filter gives where all inputs are alike
    then stays, while roundings to nearest add up over layers whose inputs are mostly positive.
    A row with infinity or NaN is rounded to nearest.
    Source: the shift of the mean is that of Nagel et al., arXiv:1906.04721, section 4.2, taken
    out as weights are rounded.
    """
    numbers, out = _both("round_rows_bfloat16", x, None)
    if numbers.ndim < 2:
        raise ShapeError(f"round_rows_bfloat16: x must have rows, got shape {numbers.shape}")
    if numbers.size:
        rows = len(numbers), -1
        _core.round_rows_bfloat16(numbers.reshape(rows), out.reshape(rows))
    return out


def _both(name: str, x: Floats, out: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.ascontiguousarray(as_float32(f"{name}: x", x))
    if out is None:
        return numbers, np.empty_like(numbers)
    check_out(out, f"{name}: out")
    if out.shape != numbers.shape:
        raise ShapeError(f"{name}: out must be {numbers.shape}, got {out.shape}")
    return numbers, out
