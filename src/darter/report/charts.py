"""The report's charts: pure functions from records to inline SVG.

Each takes the width to draw for, because text does not shrink with a phone's screen: the page
carries a wide and a narrow drawing and shows one. Heights follow from the content.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from darter.report.svg import (
    GLYPH,
    drawing,
    element,
    labels,
    line,
    path,
    scale,
    shorten,
    spread,
    text,
    ticks,
    title,
)
from darter.report.words import count, interval, percent

FONT, LABEL = 13, 11  # as in the style sheet
NARROW = 480  # below this, labels stand above their row instead of beside it

Row = dict[str, Any]
Point = tuple[float, float]


def whiskers(rows: Sequence[Row], width: int, about: str) -> str:
    """One dot per row at its accuracy, with a line over its 95% interval.

    rows: {"title", "accuracy", "interval", "mark": "best" | "plain" | "out"}. The axis is chosen
    for the rows that are not "out"; one of those that lies far below them becomes an arrow.
    """
    beside = width >= NARROW
    longest = max((len(row["title"]) for row in rows), default=0) * FONT * GLYPH
    left = min(longest + 18, width * 0.45) if beside else 2.0
    right, height = width - 56.0, 34 if beside else 50
    ends = _worth_showing(rows)
    low, high = _percent_range(ends)
    x = scale(low, high, left + 8, right)
    bottom = 4.0 + height * len(rows)
    parts = [
        line(x(v), 4, x(v), bottom, "grid")
        + text(x(v), bottom + 18, _tick_percent(v), class_="tick middle")
        for v in ticks(low, high, 5 if beside else 4)
    ]
    for number, row in enumerate(rows):
        top = 4 + height * number
        room = left - 10 if beside else width
        name_y, y = (top + 21.5, top + 17) if beside else (top + 21, top + 35)
        name = text(0, name_y, shorten(row["title"], room, FONT), class_=row.get("mark", "plain"))
        parts.append(name + _whisker(row, y, x, low, right))
    return drawing(width, bottom + 24, about, *parts)


def _worth_showing(rows: Sequence[Row]) -> list[float]:
    """The ends of all intervals but of those rows that lost by far."""
    kept = [end for row in rows if row.get("mark") != "out" for end in _ends(row)]
    if not kept:
        return [end for row in rows for end in _ends(row)]
    reach = min(kept) - max(0.1, 1.5 * (max(kept) - min(kept)))
    near = [end for row in rows if row["accuracy"] >= reach for end in _ends(row) if end >= reach]
    return [*kept, *near]


def _whisker(row: Row, y: float, x: Callable[[float], float], least: float, right: float) -> str:
    mark, value = row.get("mark", "plain"), row["accuracy"]
    figure = text(right + 14, y + 4.5, percent(value), class_=f"figure {mark}")
    about = f"{row['title']}: {percent(value)}, 95% interval {interval(row.get('interval'))}"
    if value < least:
        tip = x(least) - 6
        arrow = path([(tip, y), (tip + 9, y - 5), (tip + 9, y + 5)], f"dot {mark}", closed=True)
        return element("g", title(about) + arrow + figure)
    low, high = (x(max(least, end)) for end in _ends(row)[:2])
    return element(
        "g",
        title(about)
        + line(low, y, high, y, f"whisker {mark}")
        + line(low, y - 4, low, y + 4, f"whisker {mark}")
        + line(high, y - 4, high, y + 4, f"whisker {mark}")
        + element("circle", cx=x(value), cy=y, r=5.5, class_=f"dot {mark}")
        + figure,
    )


def learning_curve(points: Sequence[Row], width: int) -> str:
    """Accuracy against the number of training pictures, with a band of one standard error.

    points: {"pictures", "accuracy", "standard_error"}, by rising number. The x axis is
    logarithmic: each doubling takes the same room, as each doubling costs the same patience.
    """
    points = sorted(points, key=lambda p: p["pictures"])
    height, left, right, bottom = 260.0, 50.0, width - 24.0, 216.0
    error = [p.get("standard_error") or 0.0 for p in points]
    ends = [p["accuracy"] + s * e for p, e in zip(points, error, strict=True) for s in (-1, 1)]
    y = scale(*_percent_range(ends), bottom, 14)
    sizes = [math.log2(max(1, p["pictures"])) for p in points]
    x = scale(min(sizes), max(sizes), left + 14, right)
    dots = [(x(s), y(p["accuracy"])) for s, p in zip(sizes, points, strict=True)]
    upper = [(x(s), y(min(1.0, p["accuracy"] + e)))
             for s, p, e in zip(sizes, points, error, strict=True)]  # fmt: skip
    lower = [(x(s), y(max(0.0, p["accuracy"] - e)))
             for s, p, e in zip(sizes, points, error, strict=True)]  # fmt: skip
    parts = [_percent_grid(y, ends, left, right)]
    parts.append(path([*upper, *reversed(lower)], "band", closed=True))
    parts.append(path(dots, "curve best"))
    label_end = -1e9
    for (at, high), point in zip(dots, points, strict=True):
        about = f"{count(point['pictures'], 'picture')}: {percent(point['accuracy'])}"
        parts.append(element("circle", title(about), cx=at, cy=high, r=4.5, class_="dot best"))
        if at - label_end > 12:
            parts.append(text(at, bottom + 18, count(point["pictures"]), class_="tick middle"))
            label_end = at + len(count(point["pictures"])) * 4
    parts.append(text((left + right) / 2, height - 6, "training pictures", class_="tick middle"))
    first, last = points[0], points[-1]
    about = (
        f"Learning curve: accuracy {percent(first['accuracy'])} with "
        f"{count(first['pictures'], 'training picture')}, {percent(last['accuracy'])} "
        f"with {count(last['pictures'])}."
    )
    return drawing(width, height, about, *parts)


def cost(rows: Sequence[Row], width: int, *, about: str = "ways to answer") -> str:
    """Accuracy against milliseconds per picture of several ways to answer, or models.

    rows: {"name", "score", "interval" of the gain or None, "gain", "milliseconds", "kept"}; the one
    without an interval is what the others are held against, and has a line of its own. The x axis
    is logarithmic. A stalk is the 95% interval of the gain.
    """
    rows = sorted(rows, key=lambda row: row["kept"])  # drawn last, on top
    height, left, right, bottom = 294.0, 50.0, width - 24.0, 240.0
    plain = next(row["score"] for row in rows if row["interval"] is None)
    spans = [[plain + end for end in row["interval"] or (0, 0)] for row in rows]
    ends = [*(row["score"] for row in rows), *(end for span in spans for end in span)]
    y = scale(*_percent_range(ends), bottom, 28)
    costs = [math.log2(max(1e-3, row["milliseconds"])) for row in rows]
    x = scale(min(costs), max(costs), left + 24, right - 60)
    parts = [_percent_grid(y, ends, left, right), line(left, y(plain), right, y(plain), "diagonal")]
    for row, at, (low, high) in zip(rows, costs, spans, strict=True):
        mark = "best" if row["kept"] else "plain"
        told = f"{row['name']}: {percent(row['score'])} at {row['milliseconds']:.3g} ms per picture"
        dot = element("circle", cx=x(at), cy=y(row["score"]), r=5, class_=f"dot {mark}")
        stalk = line(x(at), y(low), x(at), y(high), f"whisker {mark}")
        parts.append(element("g", title(told) + stalk + dot))
    dots, names = _by_place([(x(c), y(row["score"])) for row, c in zip(rows, costs, strict=True)],
                            [row["name"] for row in rows])  # fmt: skip
    stalks = [(x(c) - 2, y(high), x(c) + 2, y(low))
              for c, (low, high) in zip(costs, spans, strict=True)]  # fmt: skip
    names = [shorten(name, 0.4 * width, LABEL) for name in names]
    area, middle = (left, 0.0, float(width), bottom), y(plain)
    stalks.append((left, middle - 1, right, middle + 1))
    for name, (at, base, anchor) in zip(
        names, labels(dots, names, LABEL, area, stalks), strict=True
    ):
        parts.append(text(at, base, name, class_="small", text_anchor=anchor))
    for end in (min(costs), max(costs)):
        figure = f"{2**end:,.0f} ms" if 2**end >= 100 else f"{2**end:.3g} ms"
        parts.append(text(x(end), bottom + 18, figure, class_="tick middle"))
    words = "milliseconds per picture, each doubling as wide"
    parts.append(text((left + right) / 2, height - 8, words, class_="tick middle"))
    said = f"Accuracy against cost of {len(rows)} {about}."
    return drawing(width, height, said, *parts)


def _by_place(places: Sequence[Point], names: Sequence[str]) -> tuple[list[Point], list[str]]:
    """Each place once, with the names of all that lie there."""
    found: dict[tuple[int, int], tuple[Point, list[str]]] = {}
    for place, name in zip(places, names, strict=True):
        at = round(place[0] / 4), round(place[1] / 4)
        found.setdefault(at, (place, []))[1].append(name)
    return [place for place, _ in found.values()], [" · ".join(n) for _, n in found.values()]


def curves(
    series: Sequence[tuple[str, str, Sequence[Point]]], width: int, *, about: str, share: bool
) -> str:
    """Lines over epochs, each named at its end.

    series: (name, "best" | "plain", points (epoch, value)).  share: values are percentages.
    """
    height, left, right, bottom = 230.0, 50.0, width - 84.0, 186.0
    everything = [point for _, _, points in series for point in points]
    values, epochs = [v for _, v in everything], [e for e, _ in everything]
    x = scale(min(epochs), max(epochs), left + 10, right)
    if share:
        y = scale(*_percent_range(values), bottom, 12)
        parts = [_percent_grid(y, values, left, right)]
    else:
        top = max(values) or 1.0
        y = scale(0, top * 1.05, bottom, 12)
        parts = [_grid(y, ticks(0, top * 1.05, 4), left, right, lambda v: f"{v:g}")]
    for epoch in ticks(min(epochs), max(epochs), 5):
        if epoch == int(epoch):
            parts.append(text(x(epoch), bottom + 18, f"{epoch:g}", class_="tick middle"))
    parts.append(text((left + right) / 2, height - 8, "epoch", class_="tick middle"))
    ends = spread([y(points[-1][1]) for _, _, points in series], 16, 14, bottom)
    for (name, mark, points), end in zip(series, ends, strict=True):
        drawn = [(x(e), y(v)) for e, v in points]
        parts.append(path(drawn, f"curve {mark}"))
        last = drawn[-1]
        parts.append(element("circle", cx=last[0], cy=last[1], r=3.5, class_=f"dot {mark}"))
        parts.append(text(right + 10, end + 4.5, name, class_=f"name {mark}"))
    return drawing(width, height, about, *parts)


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
    parts = [_grid(y, [0, 0.25, 0.5, 0.75, 1], left, left + side, lambda v: f"{v:.0%}")]
    parts += [text(x(v), bottom + 18, f"{v:.0%}", class_="tick middle") for v in (0, 0.5, 1)]
    parts.append(text(x(0.5), bottom + 36, "how sure the model was", class_="tick middle"))
    parts.append(text(left, top - 16, "how often it was right", class_="tick"))
    parts.append(line(x(0), y(0), x(1), y(1), "diagonal"))
    for b in full:
        about = (
            f"{count(b['count'], 'picture')} given {percent(b['confidence'])} on average: "
            f"{percent(b['accuracy'])} right"
        )
        at, (low, high, _) = x(b["confidence"]), _ends(b)
        dot = element("circle", cx=at, cy=y(b["accuracy"]), r=5, class_="dot best")
        stalk = line(at, y(low), at, y(high), "whisker best")
        parts.append(element("g", title(about) + stalk + dot))
    about = f"Reliability diagram over {count(sum(b['count'] for b in full), 'picture')}."
    return drawing(left + side + 20, bottom + 44, about, *parts)


def shares(
    series: Sequence[tuple[str, str, Sequence[Point]]],
    width: int,
    *,
    about: str,
    across: str,
    up: str,
    at: tuple[float, str] | None = None,
) -> str:
    """Lines of one share against another, each from 0 to 1, named at their right ends.

    series: (name or "", "best" | "plain" | "out", points).   across, up: what the axes say.
    at: a value on the horizontal axis to mark, and its name.
    """
    height, left, right, bottom = 280.0, 50.0, width - 92.0, 222.0
    x, y = scale(0, 1, left + 10, right), scale(0, 1, bottom, 30)
    parts = [_grid(y, [0, 0.25, 0.5, 0.75, 1], left, right, lambda v: f"{v:.0%}")]
    parts += [text(x(v), bottom + 18, f"{v:.0%}", class_="tick middle") for v in (0, 0.5, 1)]
    parts.append(text((left + right) / 2, height - 16, across, class_="tick middle"))
    parts.append(text(left - 36, 14, up, class_="tick"))
    if at is not None:
        parts.append(line(x(at[0]), 30, x(at[0]), bottom, "diagonal"))
        side = "tick end" if at[0] > 0.5 else "tick"
        parts.append(text(x(at[0]) + (-6 if at[0] > 0.5 else 6), bottom - 8, at[1], class_=side))
    named = [s for s in series if s[0] and s[2]]
    ends = spread([y(points[-1][1]) for _, _, points in named], 16, 34, bottom)
    for name, mark, points in series:
        if points:
            drawn = path([(x(a), y(b)) for a, b in points], f"curve {mark}")
            parts.append(element("g", title(name) + drawn) if name else drawn)
    for (name, mark, _), end in zip(named, ends, strict=True):
        parts.append(text(right + 8, end + 4.5, shorten(name, 84, FONT), class_=f"name {mark}"))
    return drawing(width, height, about, *parts)


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


def _ends(row: Row) -> tuple[float, float, float]:
    low, high = row.get("interval") or (row["accuracy"], row["accuracy"])
    return low, high, row["accuracy"]


def _percent_range(values: Sequence[float]) -> tuple[float, float]:
    """The part of [0, 1] worth drawing: all values and a little air, at least 5 points wide."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = max(0.05 * (high - low), 0.004)
    low, high = low - air, high + air
    missing = max(0.0, 0.05 - (high - low)) / 2
    return max(0.0, low - missing), min(1.0, high + missing)


def _percent_grid(
    y: Callable[[float], float], values: Sequence[float], left: float, right: float
) -> str:
    return _grid(y, ticks(*_percent_range(values), 6), left, right, _tick_percent)


def _grid(
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


def _tick_percent(value: float) -> str:
    return f"{100 * value:.4g}%"
