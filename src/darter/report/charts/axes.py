"""What the charts share: sizes of text, ranges worth drawing, grids."""

from collections.abc import Callable, Sequence
from typing import Any

from darter.report.svg import line, text, ticks

FONT, LABEL = 13, 11  # as in the style sheet
NARROW = 480  # below this, labels stand above their row instead of beside it
Row = dict[str, Any]
Point = tuple[float, float]


def ends_of(row: Row) -> tuple[float, float, float]:
    low, high = row.get("interval") or (row["accuracy"], row["accuracy"])
    return low, high, row["accuracy"]


def percent_range(values: Sequence[float]) -> tuple[float, float]:
    """The part of [0, 1] worth drawing: all values and a little air, at least 5 points wide."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = max(0.05 * (high - low), 0.004)
    low, high = low - air, high + air
    missing = max(0.0, 0.05 - (high - low)) / 2
    return max(0.0, low - missing), min(1.0, high + missing)


def percent_grid(
    y: Callable[[float], float], values: Sequence[float], left: float, right: float
) -> str:
    return grid(y, ticks(*percent_range(values), 6), left, right, tick_percent)


def grid(
    y: Callable[[float], float],
    marks: Sequence[float],
    left: float,
    right: float,
    show: Callable[[float], str],
) -> str:
    return "".join(
        line(left, y(v), right, y(v), "grid") + text(left - 8, y(v) + 4, show(v), class_="tick end")
        for v in marks
    )


def tick_percent(value: float) -> str:
    return f"{100 * value:.4g}%"
