"""The cells of a CSV file, in whichever encoding and with whichever delimiter it was saved.

Nothing is guessed from letter counts: a quoted header may hold more commas than the file has
delimiters. The text is parsed with each delimiter, and the parse decides.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

from darter.errors import DataError
from darter.names import visible

Rows = list[tuple[int, list[str]]]  # (line number, cells) of the lines that are not blank
DELIMITERS = ",;\t|"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# How spreadsheets are told the delimiter, in a line of its own before the header.
_NAMED = re.compile(r'"?sep=(.)"?[ \t,;|]*(\r\n|\r|\n|$)', re.IGNORECASE)


def read_rows(file: Path, is_header: Callable[[list[str]], bool]) -> Rows:
    """The rows of a CSV file: UTF-8 or UTF-16, any line ends, the delimiter that parses it best.

    is_header: whether the cells of a first row make sense. Among the delimiters for which they
        do, the one wins by which most rows have as many cells as the header.
    Raises DataError where the file cannot be read, is no text, or is no CSV with any delimiter.
    """
    text = _text_of(file)
    named = _NAMED.match(text)
    if named:
        text = text[named.end() :]
    candidates: list[tuple[tuple[bool, int, int], Rows]] = []
    errors: list[DataError] = []
    for delimiter in named[1] if named else DELIMITERS:
        try:
            rows = _parse(text, delimiter, first_line=1 if named else 0)
        except csv.Error as error:
            errors.append(DataError(f"{visible(file)}{error}."))
            continue
        if rows:
            candidates.append((_fit(rows, is_header), rows))
    if candidates:
        return max(candidates, key=lambda candidate: candidate[0])[1]
    if errors:
        raise errors[0]
    return []


def _fit(rows: Rows, is_header: Callable[[list[str]], bool]) -> tuple[bool, int, int]:
    """How well a delimiter parses: a larger tuple is better."""
    width = len(rows[0][1])
    return is_header(rows[0][1]), sum(len(cells) == width for _, cells in rows), width


def _parse(text: str, delimiter: str, first_line: int) -> Rows:
    """The rows by the rules of a CSV parser. csv.Error, with the line, where they are broken."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except (TypeError, ValueError) as error:  # a delimiter that can be none, named by sep=
        raise csv.Error(f": sep={visible(delimiter)} names no delimiter") from error
    rows: Rows = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((first_line + reader.line_num, cells))
    except csv.Error as error:
        raise csv.Error(f", line {first_line + reader.line_num}: {error}") from error
    return rows


def _text_of(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {visible(file)}: {error.strerror}.") from error
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:2]:  # UTF-16 without a mark: ASCII has a zero byte
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if encoding and "16" in encoding else "UTF-8"
        raise DataError(
            f"{visible(file)} is not {kind} text: {error.reason}. Save it as CSV UTF-8."
        ) from error
