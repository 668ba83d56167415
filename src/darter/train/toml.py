"""Write TOML with comments (Python reads TOML, but does not write it)."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any


def to_toml(entries: Mapping[str, Any], notes: Mapping[str, str]) -> str:
    """Scalars and lists first, each with its note above it; then one table per inner mapping."""
    lines: list[str] = []
    tables: list[str] = []
    for name, value in entries.items():
        comment = f"# {notes[name]}" if name in notes else None
        if isinstance(value, Mapping):
            tables += ["", comment] if comment else [""]
            tables += [f"[{_key(name)}]"]
            for inner, options in value.items():
                tables += ["", f"[{_key(name)}.{_key(inner)}]"]
                tables += [f"{_key(key)} = {_value(option)}" for key, option in options.items()]
        else:
            lines += [comment] if comment else []
            lines += [f"{_key(name)} = {_value(value)}"]
    return "\n".join(lines + tables) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no place in a recipe")
