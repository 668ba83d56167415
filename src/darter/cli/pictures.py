"""The pictures that a command line names: files, folders, lists, stdin."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from darter.cli import options
from darter.names import visible


def sources(images: list[str], list_file: Path | None) -> Iterator[Any]:
    """What the arguments name, in their order; folders are walked as the pictures are used."""
    for image in images:
        if image == "-":
            yield "-", sys.stdin.buffer.read()
        elif Path(image).is_dir():
            yield from _walk(image)
        else:
            yield image
    if list_file is not None and str(list_file) == "-":
        yield from (line.strip() for line in sys.stdin if line.strip())
    elif list_file is not None:
        yield from options.read_lines(list_file, "--list")


def _walk(folder: str) -> Iterator[str]:
    """Picture files below a folder, sorted by name within each folder; hidden ones are skipped.

    Of a packed folder, what was packed. A folder that cannot be searched is named and left out.
    """
    from darter.dataset import open_pack
    from darter.picture import EXTENSIONS, is_pack

    suffixes = frozenset().union(*EXTENSIONS.values())

    def say(error: OSError) -> None:
        name = visible(error.filename)
        typer.echo(f"darter: {name} is left out: {error.strerror}", err=True)

    for here, below, names in os.walk(folder, onerror=say):
        if is_pack(Path(here)):
            yield from (str(sample.path) for sample in open_pack(here).samples)
            below.clear()
            continue
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield str(Path(here) / name)
