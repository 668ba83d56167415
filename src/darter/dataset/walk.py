"""What lies in and below a folder, without what operating systems leave there."""

import os
from collections.abc import Iterator
from pathlib import Path

from darter.errors import DataError

IGNORED_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
IGNORED_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "lost+found"}


def files_below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """All files below a folder; a link back to a folder already seen is not followed."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        this = identity(here)
        if this in seen:
            continue
        seen.add(this)
        folders, files = entries_of(here)
        yield from files
        waiting += reversed(folders)


def identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def entries_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """(folders, other entries) that count, sorted by name."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                low = entry.name.lower()
                if low.startswith("."):
                    continue
                if is_folder(entry):
                    if low not in IGNORED_FOLDERS:
                        folders.append(folder / entry.name)
                elif low not in IGNORED_FILES:
                    files.append(folder / entry.name)
    except OSError as error:
        raise DataError(
            f"cannot list the folder {folder}: {error.strerror}."
            + (" Check its permissions." if isinstance(error, PermissionError) else "")
        ) from error
    return sorted(folders), sorted(files)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry leads to a folder; what leads nowhere is a file that `scan` names."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
