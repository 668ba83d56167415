"""Numbers and texts of annotation files, which may hold anything."""

import json
import math
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 30  # of one annotation file; COCO's largest has 0.45 GB
FARTHEST = 1e7  # pixels; beyond it a number is no coordinate


class Broken(Exception):
    """An annotation that cannot be understood, and why, in words."""


def coordinate(value: Any) -> float:
    """A finite number of pixels or a share. Broken for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Broken(f"{str(value)[:40]!r} is no number") from None
    if not math.isfinite(number) or abs(number) > FARTHEST or isinstance(value, bool):
        raise Broken(f"{str(value)[:40]!r} is no coordinate")
    return number


def size(width: Any, height: Any) -> tuple[int, int] | None:
    """(width, height) where both are told and make sense."""
    try:
        sides = round(coordinate(width)), round(coordinate(height))
    except Broken:
        return None
    return sides if min(sides) > 0 else None


def name(value: Any) -> str:
    """The name of a class. Broken where there is none."""
    from darter.names import encodable, one_form

    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise Broken("a box has no class name")
    return one_form(encodable(str(value))).strip()[:200]


def read_text(file: Path) -> str:
    """The whole file as text. Broken where it cannot be read or is no UTF-8 (or UTF-16)."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise Broken(f"the file has more than {MOST_BYTES >> 20} MB")
        data = file.read_bytes()
    except OSError as error:
        raise Broken(f"cannot be read: {error.strerror}") from None
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Broken(f"is no UTF-8 text: {error.reason}") from None


def read_json(file: Path) -> Any:
    """The value of a JSON file. Broken, with the place, where it is none."""
    try:
        return json.loads(read_text(file))
    except ValueError as error:
        raise Broken(f"is no JSON: {str(error)[:120]}") from None
    except RecursionError:
        raise Broken("is nested too deeply") from None
