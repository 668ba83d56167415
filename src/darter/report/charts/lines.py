"""Lines: over training pictures, over epochs, of one share against another."""

import math
from collections.abc import Sequence

from darter.report.charts.axes import FONT, Point, Row, grid, percent_grid, percent_range
from darter.report.svg import (
    drawing,
    element,
    line,
    path,
    scale,
    shorten,
    spread,
    text,
    ticks,
    title,
)
from darter.report.words import count, percent


def learning_curve(points: Sequence[Row], width: int) -> str:
    """Accuracy against the number of training pictures, with a band of one standard error.

    points: {"pictures", "accuracy", "standard_error"}, by rising number. The x axis is
    logarithmic: each doubling takes the same room, as each doubling costs the same patience.
    """
    points = sorted(points, key=lambda p: p["pictures"])
    height, left, right, bottom = 260.0, 50.0, width - 24.0, 216.0
    error = [p.get("standard_error") or 0.0 for p in points]
    ends = [p["accuracy"] + s * e for p, e in zip(points, error, strict=True) for s in (-1, 1)]
    y = scale(*percent_range(ends), bottom, 14)
    sizes = [math.log2(max(1, p["pictures"])) for p in points]
    x = scale(min(sizes), max(sizes), left + 14, right)
    dots = [(x(s), y(p["accuracy"])) for s, p in zip(sizes, points, strict=True)]
    upper = [(x(s), y(min(1.0, p["accuracy"] + e)))
             for s, p, e in zip(sizes, points, error, strict=True)]  # fmt: skip
    lower = [(x(s), y(max(0.0, p["accuracy"] - e)))
             for s, p, e in zip(sizes, points, error, strict=True)]  # fmt: skip
    parts = [percent_grid(y, ends, left, right)]
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
        y = scale(*percent_range(values), bottom, 12)
        parts = [percent_grid(y, values, left, right)]
    else:
        top = max(values) or 1.0
        y = scale(0, top * 1.05, bottom, 12)
        parts = [grid(y, ticks(0, top * 1.05, 4), left, right, lambda v: f"{v:g}")]
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
    parts = [grid(y, [0, 0.25, 0.5, 0.75, 1], left, right, lambda v: f"{v:.0%}")]
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
