"""The report's charts: pure functions from records to inline SVG.

Each takes the width to draw for, because text does not shrink with a phone's screen: the page
carries a wide and a narrow drawing and shows one. Heights follow from the content.
"""

from darter.report.charts.answers import bar, confusion, reliability
from darter.report.charts.intervals import cost, whiskers
from darter.report.charts.lines import curves, learning_curve, shares

__all__ = [
    "bar",
    "confusion",
    "cost",
    "curves",
    "learning_curve",
    "reliability",
    "shares",
    "whiskers",
]
