"""Small pieces of HTML with which values show themselves in notebooks. All text is escaped."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

CELL = "padding:2px 10px;text-align:{}"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Html:
    """Anything as HTML: what is HTML already as it is, the rest escaped."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def paragraph(value: object) -> Html:
    return Html(f"<p style='margin:4px 0'>{text(value)}</p>")


def joined(parts: Iterable[object]) -> Html:
    return Html("".join(map(text, parts)))


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """The first column to the left, the others to the right."""
    body = "".join(_row("td", row) for row in rows)
    return Html(f"<table><thead>{_row('th', header)}</thead><tbody>{body}</tbody></table>")


def _row(tag: str, cells: Sequence[object]) -> str:
    sides = ["left", *["right"] * (len(cells) - 1)]
    inner = (
        f"<{tag} style='{CELL.format(side)}'>{text(cell)}</{tag}>"
        for side, cell in zip(sides, cells, strict=True)
    )
    return f"<tr>{''.join(inner)}</tr>"


def bar(share: float, width: int = 120) -> Html:
    """A share in [0, 1] as a bar, with its figure."""
    filled = round(width * min(max(share, 0.0), 1.0))
    return Html(
        f"<span style='display:inline-block;width:{width}px;background:#8883'>"
        f"<span style='display:block;width:{filled}px;height:.7em;background:#2a78b5'></span>"
        f"</span> {share:.1%}"
    )


def picture(jpeg: bytes, caption: object = "", height: int = 96) -> Html:
    """A JPEG with words below it."""
    uri = base64.b64encode(jpeg).decode()
    words = text(caption)
    return Html(
        "<figure style='display:inline-block;margin:4px;text-align:center;vertical-align:top'>"
        f"<img src='data:image/jpeg;base64,{uri}' alt='{words}' style='height:{height}px'>"
        f"<figcaption style='font-size:smaller'>{words}</figcaption></figure>"
    )
