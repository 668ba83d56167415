"""Names that others chose (files, classes, layers), made safe to print, to export and to compare.

A file name may hold any bytes but `/` and NUL: line ends, escape sequences, bytes that are no
UTF-8. Python keeps the latter as lone surrogates: byte 0xe9 as U+DCE9 (`os.fsdecode`). Outside of
darter such a name has one form, in which no text file and no terminal trips over it:

    on a terminal, in sentences   visible        caf\\udce9.jpg, line\\nbreak.jpg
    in JSON                       to_json        "caf\\udce9.jpg", read back exactly
    in CSV                        to_cell        caf\\udce9.jpg; read back by `from_cell`
    in a model file, as a class   encodable      caf\\udce9
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

_JOINERS = "\u200c\u200d"  # of Persian words and of emoji: they only change how letters join
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode categories
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # as spreadsheets see it
_SPELLED = re.compile(r"\\ud[cC]([89a-fA-F][0-9a-fA-F])")


def visible(text: object) -> str:
    """Text that cannot move a cursor, break a line or turn the reading direction.

    >>> visible("a\\x1b[2J\\n.jpg")
    'a\\\\x1b[2J\\\\n.jpg'
    """
    return _escaped(str(text), lambda letter: letter.encode("unicode_escape").decode())


def encodable(text: str) -> str:
    """Text that UTF-8 can hold: bytes that were no UTF-8 are spelled, all else stays."""
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text)


def one_form(text: str) -> str:
    """The same letters in one way (Unicode NFC): é is one character, not e and an accent."""
    return unicodedata.normalize("NFC", text)


def to_json(value: Any, **options: Any) -> str:
    """JSON with its letters readable; what `visible` would escape is escaped as JSON does it.

    JSON has no NaN and no infinity: they become null.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, **options)
    except ValueError:  # a number that JSON has no word for
        text = json.dumps(_finite(value, options.get("default")), ensure_ascii=False, **options)
    return _escaped(text, _json_escape, keep="\n")


def _finite(value: Any, default: Callable[[Any], Any] | None) -> Any:
    """The value with null instead of NaN and infinite numbers."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(each, default) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each, default) for each in value]
    if default is None or value is None or isinstance(value, str | int):
        return value
    return _finite(default(value), default)


def to_cell(value: Any) -> Any:
    """A CSV cell that spreadsheets take for text and UTF-8 can hold; numbers stay as they are.

    A cell that would be a formula gets an apostrophe in front, which spreadsheets understand.
    """
    if not isinstance(value, str):
        return value
    text = encodable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def from_cell(cell: str) -> Iterator[str]:
    """What a cell may stand for: itself, and what `to_cell` has made it from. Likeliest first."""
    yield cell
    bare = cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
    spelled = (
        _SPELLED.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text) for text in (bare, cell)
    )
    for text in dict.fromkeys((bare, *spelled)):
        if text != cell:
            yield text


def _escaped(text: str, escape: Callable[[str], str], keep: str = "") -> str:
    if text.isprintable():
        return text
    return "".join(
        escape(c)
        if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS and c not in keep
        else c
        for c in text
    )


def _json_escape(letter: str) -> str:
    return json.dumps(letter)[1:-1]
