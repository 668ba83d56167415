"""Which file a cell of a list means."""

import os
from pathlib import Path

from darter.names import from_cell, one_form


class Paths:
    """Finds files by what a list calls them, below one folder.

    A name is taken as it stands first. Where no such file is there: with an apostrophe that
    spreadsheets put before formulas, with bytes spelled as \\udce9 (see darter.names), with
    Windows' separators, and with accents in the other form of Unicode, as macOS writes them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[Path, dict[str, str]] = {}  # folder -> {name in one form: name}

    def find(self, cell: str) -> Path:
        """The file that is meant; the name as it stands where there is none."""
        spellings = list(from_cell(cell))
        spellings += [text.replace("\\", "/") for text in spellings if "\\" in text]
        for text in spellings:
            if _is_there(self.folder / text):
                return self.folder / text
        for text in spellings:
            found = None if text.isascii() else self._by_letters(text)
            if found is not None:
                return found
        return self.folder / cell

    def _by_letters(self, text: str) -> Path | None:
        """The file whose name has the same letters, in whichever form of Unicode."""
        path = self.folder
        for part in Path(text).parts:
            name = part if _is_there(path / part) else self._names(path).get(one_form(part))
            if name is None:
                return None
            path = path / name
        return path

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = {one_form(f.name): f.name for f in folder.iterdir()}
            except OSError:
                self._listed[folder] = {}
        return self._listed[folder]


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
