"""Numbers as a reader wants them: percentages, counts, durations, sizes. Absent values are "–"."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = "–"


def percent(share: float | None, digits: int = 1) -> str:
    """0.9608 -> "96.1%"; exactly 0 and 1 carry no decimals, and nothing else rounds to them."""
    if share is None:
        return ABSENT
    if share in (0, 1):
        return f"{share:.0%}"
    text = f"{share:.{digits}%}"
    return percent(share, digits + 1) if float(text[:-1]) in (0, 100) and digits < 4 else text


def interval(bounds: Sequence[float] | None) -> str:
    """[0.917, 0.982] -> "92–98%"; a narrow interval gets decimals so that its ends differ."""
    if bounds is None:
        return ABSENT
    low, high = bounds
    digits = 0 if high - low >= 0.04 else 1
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}%"


def count(number: float | None, noun: str = "", plural: str | None = None) -> str:
    """(1, "picture") -> "1 picture"; (1797, "picture") -> "1,797 pictures"."""
    if number is None:
        return ABSENT
    name = noun if number == 1 else (plural or noun + "s") if noun else ""
    return f"{number:,}" + (f" {name}" if name else "")


def paired_change(change: Mapping[str, Any], measure: str = "accuracy", part: str = "test") -> str:
    """What two models' answers to the same pictures say of their difference.

    change: difference, interval (95%, paired), better and worse (pictures), pictures.
    Where no picture differs, the rule of three bounds what others would: below 3/n of them.
    """
    pictures = count(change["pictures"], f"{part} picture")
    if not (change["better"] or change["worse"]):
        most = min(1.0, 3 / max(1, change["pictures"]))
        return (
            f"no difference on {pictures} (95% bound: {measure} of others differs by less than "
            f"{100 * most:.2g} points)"
        )
    low, high = (100 * end for end in change["interval"])
    clear = "; it fell clearly" if high < 0 else ""
    return (
        f"{measure} {100 * change['difference']:+.1f} points on {pictures} (paired 95% interval "
        f"{low:+.1f} to {high:+.1f}; {change['better']:,} became right, {change['worse']:,} wrong"
        f"{clear})"
    )


def duration(seconds: float | None) -> str:
    """42.3 -> "42 s"; 312 -> "5 min 12 s"; 7260 -> "2 h 1 min"."""
    if seconds is None:
        return ABSENT
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def large(number: float | None) -> str:
    """3376738 -> "3.4 million"; 385000000 -> "385 million"."""
    if number is None:
        return ABSENT
    for unit, name in ((1e9, " billion"), (1e6, " million")):
        if number >= unit:
            return f"{number / unit:.{1 if number < 10 * unit else 0}f}{name}"
    return f"{number:,.0f}"


def significant(number: float | None, digits: int = 3) -> str:
    """Three significant digits, no needless exponent or zeros: 0.0004, 13.6, 0.0000023, 1,230."""
    if number is None:
        return ABSENT
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    if abs(number) < 1e-7:
        return f"{number:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop, whichever way it was recorded."""
    text = heading(text.strip())
    return text if not text or text.endswith((".", "!", "?", ":")) else text + "."


def heading(text: str) -> str:
    """The text with a capital first letter, for the head of a column or the begin of a sentence."""
    return text[:1].upper() + text[1:]
