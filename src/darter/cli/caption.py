"""`darter caption`: write a sentence about each picture."""

import csv as csv_module
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from darter.cli import options
from darter.cli.asked import asked, end
from darter.names import to_cell, to_json, visible

if TYPE_CHECKING:
    from darter.model import Caption


def caption(
    model: Annotated[str, typer.Argument(help="A caption model's ONNX file, or a run's folder.")],
    images: options.Images = None,
    list_file: options.ListFile = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    others: Annotated[bool, typer.Option("--others", help="The runners-up, too.")] = False,
    runtime: options.Runtime = "auto",
    precision: options.Precision = None,
    threads: options.Threads = None,
) -> None:
    """Write a sentence about each picture, with its log probability.

    A picture that cannot be read is a row with the reason; if none can, the exit status is 2.
    """
    given = asked(images, list_file, json, csv)
    from darter.model import load_captioner

    captioner = load_captioner(model, runtime=runtime, precision=precision, threads=threads)
    found = captioner.caption(given)
    count = bad = 0
    if csv:
        csv_module.writer(sys.stdout, lineterminator="\n").writerow(
            ("path", "caption", "log_probability", "error")
        )
    for answer in found:
        count, bad = count + 1, bad + (answer.error is not None)
        _write(answer, json, csv, others)
    end(count, bad, images, list_file)


def _write(answer: "Caption", json: bool, csv: bool, others: bool) -> None:
    if json:
        print(to_json(answer.to_json()))
    elif csv:
        row = (answer.sentence or "", f"{answer.log_probability:.4f}", answer.error or "")
        cells = [to_cell(cell) for cell in (answer.source, *row)]
        csv_module.writer(sys.stdout, lineterminator="\n").writerow(cells)
    else:
        for line in _lines(answer, others):
            print(line)


def _lines(answer: "Caption", others: bool) -> Iterator[str]:
    name = visible(answer.source)
    if answer.error is not None:
        yield f"{name}  {visible(answer.error)}"
        return
    yield f"{name}  {visible(answer.sentence or '')}  ({answer.log_probability:.2f})"
    for sentence, value in answer.others if others else ():
        yield f"{' ' * len(name)}  or: {visible(sentence)}  ({value:.2f})"
