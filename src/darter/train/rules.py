"""What a recipe entry may hold: each rule returns None for a good value, or what was expected."""

from collections.abc import Callable, Mapping
from dataclasses import Field, field
from typing import Any

from darter.errors import OptionError
from darter.precision import FixedPoint

Rule = Callable[[Any], str | None]


def entry(default: Any, note: str, rule: Rule) -> Any:
    """A recipe entry: its default, what it means (written beside it in the file), its rule."""
    return field(default=default, metadata={"note": note, "rule": rule})


def note(entry: Field) -> str:
    return entry.metadata["note"]


def rule(entry: Field) -> Rule:
    return entry.metadata["rule"]


def one_of(*names: str) -> Rule:
    def check(value: Any) -> str | None:
        return None if value in names else "one of " + ", ".join(f'"{name}"' for name in names)

    return check


def precision(value: Any) -> str | None:
    named = ("auto", "float32", "bfloat16", "float16")
    try:
        good = value in named or bool(FixedPoint.parse(value))
    except (OptionError, TypeError):
        good = False
    words = ", ".join(f'"{name}"' for name in named)
    fixed = 'fixed point such as "fixed<2,14>"'
    return None if good else f"one of {words}, or {fixed} (or int8, on the command line)"


def text(value: Any) -> str | None:
    return None if isinstance(value, str) else "text"


def names_or_tables(value: Any) -> str | None:
    return None if isinstance(value, str | Mapping) else "a name, or a table of tables"


def flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def whole(low: int, high: int) -> Rule:
    """A whole number in [low, high]."""

    def check(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"a whole number from {low} to {high}"

    return check


def number(low: float, high: float, *, below: bool = False) -> Rule:
    """A number in [low, high], or in [low, high) with `below`."""

    def check(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        good = good and low <= value and (value < high if below else value <= high)
        return None if good else f"a number from {low:g} to {'below ' if below else ''}{high:g}"

    return check


def positive(high: float) -> Rule:
    """A number in (0, high]."""

    def check(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= high
        return None if good else f"a number above 0, at most {high:g}"

    return check


def auto_or(rule: Rule) -> Rule:
    """The word "auto", or what `rule` accepts."""

    def check(value: Any) -> str | None:
        expected = None if value == "auto" else rule(value)
        return None if expected is None else f'"auto" or {expected}'

    return check
