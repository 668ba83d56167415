"""The few pieces of SVG that the charts are drawn with.

Colors are classes that the page's style sheet fills in, light or dark; sizes are CSS pixels.
"""

import math
from collections.abc import Callable, Sequence
from html import escape

GLYPH = 0.51  # mean width of a character as a share of the font size, in the fonts we ask for


def element(name: str, content: str = "", **attributes: object) -> str:
    """`element("circle", r=3, class_="dot")`; content is markup, attribute values are text."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    return element("text", escape(words), x=x, y=y, **attributes)


def title(words: str) -> str:
    """What a mouse resting on the enclosing element, or a screen reader, gets to know."""
    return element("title", escape(words))


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def path(points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False) -> str:
    steps = "L".join(f"{_value(x)} {_value(y)}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if closed else ''}", class_=kind)


def drawing(width: float, height: float, about: str, *parts: str) -> str:
    """A whole picture. `about` says in a sentence what a reader who cannot see it should know."""
    return element(
        "svg",
        title(about) + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        role="img",
        aria_label=about,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
    )


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """The straight line that takes low to start and high to end."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (steps of 1, 2 or 5 times a power of ten) from low to high."""
    rough = (high - low) / max(1, about)
    if rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def shorten(words: str, pixels: float, font: float) -> str:
    """The words, or as many as fit into that width and an ellipsis."""
    room = max(2, int(pixels / (font * GLYPH)))
    return words if len(words) <= room else words[: room - 1].rstrip() + "…"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones that keep `gap` apart within [low, high], in given order."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    placed = [0.0] * len(wanted)
    at = low - gap
    for k in order:
        at = max(wanted[k], at + gap)
        placed[k] = at
    limit = high
    for k in reversed(order):
        placed[k] = min(placed[k], limit)
        limit = placed[k] - gap
    return placed


Box = tuple[float, float, float, float]  # left, top, right, bottom


def labels(
    dots: Sequence[tuple[float, float]],
    names: Sequence[str],
    font: float,
    area: Box,
    taken: Sequence[Box] = (),
) -> list[tuple[float, float, str]]:
    """Where each dot's name goes: (x, y of the base line, anchor), beside the dot, or as little
    above or below that as keeps it off other names, dots and what is taken.

    A name that finds no free place goes right beside its dot.
    """
    radius, step = 7.0, font + 4
    full = [*taken, *((x - radius, y - radius, x + radius, y + radius) for x, y in dots)]
    found: list[tuple[float, float, str]] = []
    for (x, y), name in zip(dots, names, strict=True):
        wide, choices = len(name) * font * GLYPH, []
        for rows in (0, 1, -1, 2, -2, 3, -3, 4, -4):
            base = y + font / 3 + rows * step
            for anchor, left in (("start", x + 10), ("end", x - 10 - wide)):
                box = left, base - font, left + wide, base + font / 4
                choices.append((box, (left if anchor == "start" else x - 10, base, anchor)))
        box, place = next(
            ((b, p) for b, p in choices if _inside(b, area) and not any(_meet(b, f) for f in full)),
            choices[0],
        )
        full.append(box)
        found.append(place)
    return found


def _inside(box: Box, area: Box) -> bool:
    return area[0] <= box[0] and area[1] <= box[1] and box[2] <= area[2] and box[3] <= area[3]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(str(value))
