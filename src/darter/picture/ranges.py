"""Checks of the numbers that a recipe gives for an augmentation."""

from numbers import Real
from typing import Any

from darter.errors import OptionError

Range = tuple[float, float]


def as_number(owner: str, option: str, value: Any, low: float, high: float) -> float:
    """`value` as a float within [low, high], or OptionError naming owner, option and limits."""
    good = isinstance(value, Real) and not isinstance(value, bool)
    if not good or not low <= value <= high:  # also of NaN, and of numbers that no float can hold
        raise OptionError(
            f"{owner}: {option} must be a number from {low:g} to {high:g}, got {_short(value)}"
        )
    return float(value)


def as_range(owner: str, option: str, value: Any, low: float, high: float) -> Range:
    """`value` as (least, most) with low <= least <= most <= high."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise OptionError(f"{owner}: {option} must be a pair (least, most), got {value!r}")
    least, most = (as_number(owner, option, end, low, high) for end in value)
    if least > most:
        raise OptionError(f"{owner}: {option} must go from least to most, got {value!r}")
    return least, most


def as_spread(owner: str, option: str, value: Any, middle: float, low: float, high: float) -> Range:
    """A pair as it is; a single number s as (middle - s, middle + s), cut to [low, high]."""
    if isinstance(value, (list, tuple)):
        return as_range(owner, option, value, low, high)
    spread = as_number(owner, option, value, 0.0, high - middle)
    return max(low, middle - spread), middle + spread


def _short(value: Any) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
