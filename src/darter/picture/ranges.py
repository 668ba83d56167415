"""Checks of the numbers that a recipe gives for an augmentation."""

from numbers import Real
from typing import Any

import numpy as np

from darter.errors import OptionError

Range = tuple[float, float]
LARGEST = float(np.finfo(np.float32).max)  # in a picture file of floats


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


def as_value_range(value: Any) -> Range | None:
    """What is black and what is white, or None; OptionError unless they are two finite numbers."""
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise OptionError(
            "preprocess: value_range must be two numbers, the value of black and the value of "
            f"white, got {_short(value)}"
        )
    return as_range("preprocess", "value_range", value, -LARGEST, LARGEST)


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
