"""`darter predict`: say what is in pictures."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Annotated, Any

import typer

from darter.cli import options
from darter.cli.asked import end
from darter.cli.pictures import sources
from darter.errors import OptionError


def predict(
    model: options.ModelPath,
    images: options.Images = None,
    list_file: options.ListFile = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest classes.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    unknown_below: options.UnknownBelow = None,
    over: options.Over = None,
    runtime: options.Runtime = "auto",
    precision: options.Precision = None,
    threads: options.Threads = None,
    batch_size: options.BatchSize = 16,
    classes: options.Classes = None,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
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
    from darter.model import averaging

    if over is not None and not averaging(session.info, options.parse_over(over)).fitted:
        options.warn_of_single_look(over)
    asked: dict[str, Any] = {
        "top": top,
        "batch_size": batch_size,
        "unknown_below": unknown_below,
        "over": options.parse_over(over),
    }
    if workers or cluster:
        given = (model, classes, size, mean, std, runtime, precision)
        predictions = spread_out(given, asked, sources(images or [], list_file), workers, cluster)
    else:
        predictions = session.predict(sources(images or [], list_file), **asked)
    write = answers.json_lines if json else answers.csv_rows if csv else answers.table
    tally = write(predictions, min(top, len(session.info.classes)))
    end(tally.pictures, tally.unreadable, images, list_file)


CHUNK = 64  # pictures that a worker gets at a time


def spread_out(
    given: tuple[Any, ...],
    asked: dict[str, Any],
    pictures: Iterable[Any],
    workers: int | None,
    cluster: str | None,
) -> Iterator[Any]:
    """The same predictions in the same order, made on several processes or machines.

    given: what `open_model` takes, without threads.   asked: what `Session.predict` takes.
    """
    from darter.cluster import spread

    numbered = iter(pictures)
    chunks = iter(lambda: list(islice(numbered, CHUNK)), [])
    for rows in spread(partial(_answering, given, asked), chunks, workers=workers, address=cluster):
        yield from rows


def _answering(given: tuple[Any, ...], asked: dict[str, Any], threads: int | None) -> Any:
    model, *rest = given
    session = options.open_model(model, threads, *rest)
    return lambda chunk: list(session.predict(chunk, **asked))
