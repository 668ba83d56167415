"""Accuracies with their 95% intervals: of rivals, and against what they cost."""

import math
from collections.abc import Callable, Sequence

from darter.report.charts.axes import (
    FONT,
    LABEL,
    NARROW,
    Point,
    Row,
    ends_of,
    percent_grid,
    percent_range,
    tick_percent,
)
from darter.report.svg import (
    GLYPH,
    drawing,
    element,
    labels,
    line,
    path,
    scale,
    shorten,
    text,
    ticks,
    title,
)
from darter.report.words import interval, percent


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
    low, high = percent_range(ends)
    x = scale(low, high, left + 8, right)
    bottom = 4.0 + height * len(rows)
    parts = [
        line(x(v), 4, x(v), bottom, "grid")
        + text(x(v), bottom + 18, tick_percent(v), class_="tick middle")
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
    kept = [end for row in rows if row.get("mark") != "out" for end in ends_of(row)]
    if not kept:
        return [end for row in rows for end in ends_of(row)]
    reach = min(kept) - max(0.1, 1.5 * (max(kept) - min(kept)))
    near = [end for row in rows if row["accuracy"] >= reach for end in ends_of(row) if end >= reach]
    return [*kept, *near]


def _whisker(row: Row, y: float, x: Callable[[float], float], least: float, right: float) -> str:
    mark, value = row.get("mark", "plain"), row["accuracy"]
    figure = text(right + 14, y + 4.5, percent(value), class_=f"figure {mark}")
    about = f"{row['title']}: {percent(value)}, 95% interval {interval(row.get('interval'))}"
    if value < least:
        tip = x(least) - 6
        arrow = path([(tip, y), (tip + 9, y - 5), (tip + 9, y + 5)], f"dot {mark}", closed=True)
        return element("g", title(about) + arrow + figure)
    low, high = (x(max(least, end)) for end in ends_of(row)[:2])
    return element(
        "g",
        title(about)
        + line(low, y, high, y, f"whisker {mark}")
        + line(low, y - 4, low, y + 4, f"whisker {mark}")
        + line(high, y - 4, high, y + 4, f"whisker {mark}")
        + element("circle", cx=x(value), cy=y, r=5.5, class_=f"dot {mark}")
        + figure,
    )


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
    y = scale(*percent_range(ends), bottom, 28)
    costs = [math.log2(max(1e-3, row["milliseconds"])) for row in rows]
    x = scale(min(costs), max(costs), left + 24, right - 60)
    parts = [percent_grid(y, ends, left, right), line(left, y(plain), right, y(plain), "diagonal")]
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
