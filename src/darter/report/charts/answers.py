"""How right the answers are: against confidence, class against class, in a small bar."""

import math
from collections.abc import Sequence

from darter.report.charts.axes import LABEL, NARROW, Row, ends_of, grid
from darter.report.svg import GLYPH, drawing, element, line, scale, shorten, text, title
from darter.report.words import count, percent


def reliability(bins: Sequence[Row], width: int) -> str:
    """Confidence against accuracy: on the diagonal, the model is as sure as it is right.

    bins: {"confidence", "accuracy", "interval", "count"}; empty ones are left out. A dot's stalk
    is the 95% interval of its accuracy.
    """
    side = float(min(width - 80, 340))
    left, top = 54.0, 30.0
    bottom = top + side
    x, y = scale(0, 1, left, left + side), scale(0, 1, bottom, top)
    full = [b for b in bins if b["count"]]
    parts = [grid(y, [0, 0.25, 0.5, 0.75, 1], left, left + side, lambda v: f"{v:.0%}")]
    parts += [text(x(v), bottom + 18, f"{v:.0%}", class_="tick middle") for v in (0, 0.5, 1)]
    parts.append(text(x(0.5), bottom + 36, "how sure the model was", class_="tick middle"))
    parts.append(text(left, top - 16, "how often it was right", class_="tick"))
    parts.append(line(x(0), y(0), x(1), y(1), "diagonal"))
    for b in full:
        about = (
            f"{count(b['count'], 'picture')} given {percent(b['confidence'])} on average: "
            f"{percent(b['accuracy'])} right"
        )
        at, (low, high, _) = x(b["confidence"]), ends_of(b)
        dot = element("circle", cx=at, cy=y(b["accuracy"]), r=5, class_="dot best")
        stalk = line(at, y(low), at, y(high), "whisker best")
        parts.append(element("g", title(about) + stalk + dot))
    about = f"Reliability diagram over {count(sum(b['count'] for b in full), 'picture')}."
    return drawing(left + side + 20, bottom + 44, about, *parts)


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]], width: int) -> str:
    """Every class against every class: rows are what a picture is, columns what it was called.

    A cell is as dark as its share of the row. Where there is no room for every label, every second
    is named, or every third, and so on; a cell tells its own when the mouse rests on it.
    """
    n = len(labels)
    longest = max(map(len, labels)) * LABEL * GLYPH + 10
    left = min(longest, 150.0 if width >= NARROW else 84.0)
    top = left + 20
    side = min(float(width) - left - 8, 640.0)
    cell = side / n
    every = math.ceil((LABEL - 1) / cell)  # labels are so many rows apart
    middle = left + side / 2
    parts = [
        text(middle, 14, "the model said", class_="tick middle"),
        element("rect", x=left, y=top, width=side, height=side, class_="frame"),
    ]
    for i, (label, row) in enumerate(zip(labels, matrix, strict=True)):
        total = sum(row)
        if i % every == 0:
            name, at = shorten(label, left - 8, LABEL), cell * (i + 0.5)
            x, y = left + at + 4, top - 6
            turn = f"rotate(-90 {x:.1f} {y:.1f})"
            parts.append(text(left - 6, top + at + 4, name, class_="small end"))
            parts.append(text(x, y, name, class_="small", transform=turn))
        for j, times in enumerate(row):
            if not times:
                continue
            about = f"{label}, called {labels[j]}: {times:,} of {count(total, 'picture')}"
            parts.append(
                element(
                    "rect", title(about), x=left + cell * j, y=top + cell * i, width=cell,
                    height=cell, class_="right" if i == j else "wrong",
                    fill_opacity=0.35 + 0.65 * times / total,
                )
            )  # fmt: skip
    right = sum(row[i] for i, row in enumerate(matrix))
    about = (
        f"Confusion matrix of {n} classes: {right:,} of "
        f"{count(sum(map(sum, matrix)), 'picture')} on the diagonal."
    )
    return drawing(left + side + 8, top + side + 6, about, *parts)


def bar(share: float | None, kind: str = "bar") -> str:
    """A small bar from 0 to 1, to stand in a table's cell beside its number."""
    if share is None:
        return ""
    track = element("rect", x=0, y=0, width=80, height=8, rx=2, class_="track")
    filled = element("rect", x=0, y=0, width=80.0 * share, height=8, rx=2, class_=kind)
    return element("svg", track + filled, class_="inline", viewBox="0 0 80 8", aria_hidden="true")
