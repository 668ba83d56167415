"""Which pictures a command line asks for, and how a command that looked at them ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from darter.cli.pictures import sources
from darter.errors import DataError, OptionError


def asked(images: list[str] | None, list_file: Path | None, json: bool, csv: bool) -> Iterator[Any]:
    """The pictures that a command line names. OptionError where it names none, or both formats."""
    if json and csv:
        raise OptionError("--json and --csv: choose one")
    if not images and list_file is None:
        raise OptionError("nothing to look at: give pictures, folders, - or --list FILE")
    return sources(images or [], list_file)


def end(count: int, bad: int, images: list[str] | None, list_file: Path | None) -> None:
    """Say how many of the pictures could not be read; with exit status 2 where none could.

    Raises DataError where there were none.
    """
    if not count:
        raise DataError(f"no pictures in {', '.join(images or [str(list_file)])}")
    if bad:
        pictures = "picture" if count == 1 else "pictures"
        typer.echo(f"darter: {bad} of {count} {pictures} could not be read", err=True)
    if bad == count:
        raise SystemExit(2)
