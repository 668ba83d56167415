"""`darter predict`: say what is in pictures."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from darter.cli import options
from darter.errors import DataError, OptionError
from darter.names import visible


def predict(
    model: options.ModelPath,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help="Pictures, folders (searched below, packed ones too), or - for one on stdin.",
            metavar="IMAGE",
        ),
    ] = None,
    list_file: Annotated[
        Path | None, typer.Option("--list", help="Text file: one picture a line; - for stdin.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest classes.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    unknown_below: options.UnknownBelow = None,
    over: options.Over = None,
    runtime: options.Runtime = "auto",
    precision: options.Precision = "float32",
    threads: options.Threads = None,
    batch_size: options.BatchSize = 16,
    classes: options.Classes = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
) -> None:
    """Say what is in pictures: label, confidence, and "unknown" where the model is unsure.

    A picture that cannot be read is a row with the reason; if none can, the exit status is 2.
    """
    if json and csv:
        raise OptionError("--json and --csv: choose one")
    if not images and list_file is None:
        raise OptionError("nothing to predict: give pictures, folders, - or --list FILE")
    session = options.open_model(model, threads, classes, size, mean, std, runtime, precision)
    from darter.cli import answers

    predictions = session.predict(
        _sources(images or [], list_file),
        top=top,
        batch_size=batch_size,
        unknown_below=unknown_below,
        over=options.parse_over(over),
    )
    write = answers.json_lines if json else answers.csv_rows if csv else answers.table
    tally = write(predictions, min(top, len(session.info.classes)))
    if not tally.pictures:
        raise DataError(f"no pictures in {', '.join(images or [str(list_file)])}")
    if tally.unreadable:
        count = f"{tally.unreadable} of {tally.pictures}"
        typer.echo(f"darter: {count} pictures could not be read", err=True)
    if tally.unreadable == tally.pictures:
        raise SystemExit(2)


def _sources(images: list[str], list_file: Path | None) -> Iterator[Any]:
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
