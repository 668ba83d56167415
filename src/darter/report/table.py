"""Records as a table for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from io import StringIO
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from darter.names import visible


class TerminalTable(Table):
    """A rich table that `str` and the built-in `print` show as plain text."""

    columns_of_text = 100

    def __str__(self) -> str:
        text = StringIO()
        Console(file=text, width=self.columns_of_text, color_system=None).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def table(
    records: Iterable[Any],
    *,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    title: str | None = None,
    width: int = 100,
) -> TerminalTable:
    """A table of dicts or dataclasses, one row each.

    columns: the keys to show, in order, or a dict from key to heading; by default every key in
        order of appearance, headed by its name with underscores as spaces.
    width: characters of a line, at most.
    Numbers are aligned right; an absent or None value is "–". Text is shown as it is: square
    brackets in a class name are not taken for rich's markup.
    """
    rows = [_fields(record) for record in records]
    if columns is None:
        columns = list(dict.fromkeys(key for row in rows for key in row))
    headings = (
        columns if isinstance(columns, Mapping) else {k: k.replace("_", " ") for k in columns}
    )
    drawn = TerminalTable(
        title=Text(visible(title)) if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    drawn.columns_of_text = width
    for key, heading in headings.items():
        numeric = all(_is_number(row.get(key)) for row in rows if row.get(key) is not None)
        drawn.add_column(
            Text(visible(heading)), justify="right" if rows and numeric else "left", overflow="fold"
        )
    for row in rows:
        drawn.add_row(*(Text(_show(row.get(key))) for key in headings))
    return drawn


def _fields(record: Any) -> Mapping[str, Any]:
    if isinstance(record, Mapping):
        return record
    if is_dataclass(record) and not isinstance(record, type):
        return asdict(record)
    raise TypeError(f"a record is a dict or a dataclass, got {type(record).__name__}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(_show(item) for item in value)
    return visible(value)
