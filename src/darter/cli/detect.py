"""`darter detect`: say what is where in pictures."""

import csv as csv_module
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darter.cli import options
from darter.cli.asked import asked, end
from darter.errors import OptionError
from darter.names import to_cell, to_json, visible

if TYPE_CHECKING:
    from darter.model import Detections, Detector

COLUMNS = ("path", "label", "score", "x0", "y0", "x1", "y1")


def detect(
    model: Annotated[str, typer.Argument(help="A detector's ONNX file, or a run's folder.")],
    images: options.Images = None,
    list_file: options.ListFile = None,
    json: Annotated[
        bool, typer.Option("--json", help="One object as COCO has it, boxes with scores.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One line per box.")] = False,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the pictures with their boxes there.")
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Tell things from this score on.", show_default="the model's"
        ),
    ] = None,
    tiles: Annotated[
        int, typer.Option(min=1, max=64, help="Look at large pictures in so many parts across.")
    ] = 1,
    format: Annotated[
        str | None,
        typer.Option(
            help="yolo or ssd: the outputs of a model not made by darter.", metavar="NAME"
        ),
    ] = None,
    runtime: options.Runtime = "auto",
    precision: options.Precision = None,
    threads: options.Threads = None,
    classes: options.Classes = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
) -> None:
    """Find things in pictures: counts of each class, boxes, scores.

    A picture that cannot be read is a row with the reason; if none can, the exit status is 2.
    """
    given = asked(images, list_file, json, csv)
    detector = _open(model, format, runtime, precision, threads, classes, size, mean, std)
    found = _watched(_drawn(detector, given, least, tiles, draw))
    if json:
        from darter.model import coco_results

        answers = list(found)
        print(to_json(coco_results([a for a in answers if not a.error], detector.info.classes)))
    elif csv:
        answers = _write_csv(found)
    else:
        answers = _write_table(found)
    bad = sum(answer.error is not None for answer in answers)
    end(len(answers), bad, images, list_file)


def _open(
    model: str,
    format: str | None,
    runtime: str,
    precision: str | None,
    threads: int | None,
    classes: Path | None,
    size: int | None,
    mean: str | None,
    std: str | None,
) -> "Detector":
    from darter.model import foreign_detector, load_detector

    if format is None:
        given = {"--classes": classes, "--size": size, "--mean": mean, "--std": std}
        for name, value in given.items():
            if value is not None:
                raise OptionError(f"{name} is for models not made by darter, with --format")
        return load_detector(model, runtime=runtime, precision=precision, threads=threads)
    names = None if classes is None else options.read_lines(classes, "--classes")
    return foreign_detector(
        model,
        format,
        classes=names,
        size=size,
        mean=options.numbers("--mean", mean),
        std=options.numbers("--std", std),
        runtime=runtime,
        threads=threads,
    )


def _drawn(
    detector: "Detector", given: Iterable, least: float | None, tiles: int, draw: Path | None
) -> Iterator["Detections"]:
    """The answers; each picture is drawn as it is answered."""
    if draw is None:
        yield from detector.detect(given, least=least, tiles=tiles)
        return
    from darter.files import make_folder
    from darter.model import draw_boxes
    from darter.picture import decode

    make_folder(draw)
    taken: set[str] = set()
    for source in given:
        (answer,) = detector.detect([source], least=least, tiles=tiles)
        if answer.error is None:
            content = source[1] if isinstance(source, tuple) else source
            marks = [(f"{f.label} {f.score:.2f}", f.corners, f.label) for f in answer.found]
            draw_boxes(decode(content).pixels, marks, draw / _free(answer.source, taken))
        yield answer


def _free(source: str, taken: set[str]) -> str:
    """A name for a drawn picture that no other has."""
    stem, suffix = Path(source).stem or "picture", Path(source).suffix.lower()
    suffix = ".png" if suffix == ".png" else ".jpg"
    name, number = f"{stem}{suffix}", 2
    while name in taken:
        name, number = f"{stem}-{number}{suffix}", number + 1
    taken.add(name)
    return name


def _watched(found: Iterator["Detections"]) -> Iterator["Detections"]:
    """The answers, with a count of pictures where a person watches and stdout goes elsewhere."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield from found
        return
    for number, answer in enumerate(found, 1):
        print(f"\r{number} pictures", end="", file=sys.stderr, flush=True)
        yield answer
    print("\r\x1b[K", end="", file=sys.stderr)


def _write_table(found: Iterator["Detections"]) -> list["Detections"]:
    """A line per picture: how many of each class; then their sum."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    answers = []
    total: dict[str, int] = {}
    for answer in found:
        answers.append(answer)
        name = f"{visible(answer.source)}  "
        if answer.error is not None:
            console.print(Text.assemble(name, (visible(answer.error), "red")), soft_wrap=True)
            continue
        counts = ", ".join(f"{number} {visible(label)}" for label, number in answer.counts.items())
        console.print(Text.assemble(name, (counts or "nothing", "bold green")), soft_wrap=True)
        for label, number in answer.counts.items():
            total[label] = total.get(label, 0) + number
    if len(answers) > 1:
        counts = ", ".join(f"{number} {visible(label)}" for label, number in sorted(total.items()))
        console.print(Text(f"{len(answers)} pictures: {counts or 'nothing'}", "dim"))
    return answers


def _write_csv(found: Iterator["Detections"]) -> list["Detections"]:
    """A row per box; a picture with none, or that cannot be read, has a row of its own."""
    writer = csv_module.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*COLUMNS, "error"))
    answers = []
    for answer in found:
        answers.append(answer)
        path = to_cell(answer.source)
        for each in answer.found:
            box = [f"{value:.2f}" for value in each.corners]
            writer.writerow((path, to_cell(each.label), f"{each.score:.5f}", *box, ""))
        if not answer.found:
            writer.writerow((path, *[""] * 6, to_cell(answer.error or "")))
    return answers
