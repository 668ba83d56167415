"""`darter precision`: what a model gains and loses with fewer bits, on one's own pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from darter.cli import options
from darter.cli.progress import progress_bar
from darter.cli.quantize import pictures_of
from darter.errors import OptionError
from darter.files import check_writable
from darter.names import to_json, visible


def precision(
    model: options.ModelPath,
    pictures: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIR]",
            help="Labelled pictures as for train, or any folder of pictures. Without it, those of "
            "the run that MODEL is the folder of.",
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            help="Another model of the same classes, such as a binary one; may be given again.",
        ),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Training pictures that 8 bits are made by.",
            show_default="a part of DIR, which then has no part in the measure",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--in", help="What to measure the model in beside float32.")
    ] = "bfloat16,int8",
    calibrate_by: options.CalibrateBy = 128,
    seed: options.CalibrationSeed = 0,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with a plot of accuracy against time.")
    ] = None,
    threads: options.Threads = None,
    json: options.OneObject = False,
    quiet: options.Quiet = False,
    classes: options.Classes = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
) -> None:
    """Compare a model in float32, bfloat16 and 8 bits, and other models, on the same pictures.

    One table: accuracy with its 95% interval, the paired difference from float32, milliseconds per
    picture, bytes, and bit operations as a proxy of energy. Of a training run, the table is kept
    with its records and becomes a section of its report.
    """
    from darter.dataset import is_run
    from darter.quantize import Wish, compare_precisions

    if html is not None:
        check_writable(html)
    asked = tuple(part.strip() for part in formats.split(",") if part.strip() != "float32")
    for other in (*(beside or ()), calibrate):
        if other is not None and not other.exists():
            raise OptionError(f"{other}: no such file or folder")
    source = pictures_of(model, pictures, command="precision")
    session = options.open_model(model, threads, classes, size, mean, std, "darter", "float32")
    with progress_bar() as progress:
        record = compare_precisions(
            session, model, source, calibrate=calibrate, others=beside or (),
            formats=[part for part in asked if part], threads=threads, progress=progress,
            wish=Wish(pictures=calibrate_by, seed=seed),
            say=options.say_aside(silent=quiet or json),
        )  # fmt: skip
    if html is not None:
        from darter.report import write_precisions

        write_precisions(record, html)
    if pictures is None and is_run(model):
        _keep(record, Path(model))
    print(to_json(record, indent=1)) if json else show(record)
    if html is not None and not json:
        print(f"Written: {visible(str(html))}")


def _keep(record: dict[str, Any], run: Path) -> None:
    """With the records of a run, and in its report."""
    from darter.files import write_json
    from darter.report import write_html

    write_json(run / "precisions.json", record)
    write_html(run)


def show(record: dict[str, Any]) -> None:
    """The table, and what is to be known of it."""
    from darter.report import precision_notes, table

    print(table(rows(record), width=140))
    for note in precision_notes(record):
        print(note)


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row per model, as the terminal shows it."""
    whole = record["forms"][0]["bit_operations"]
    made = []
    for form in record["forms"]:
        row: dict[str, Any] = {"": form["name"]}
        found = form["difference"]
        if form["score"] is not None:
            low, high = form["interval"]
            row[record["measure"]] = f"{form['score']:.1%} ({low:.1%} to {high:.1%})"
            row["difference, points"] = None
        row["same answer"] = None
        if found is not None:
            row["same answer"] = f"{found['agreement']:.1%}"
            if found["points"] is not None:
                low, high = found["points_interval"]
                row["difference, points"] = f"{found['points']:+.2f} ({low:+.2f} to {high:+.2f})"
        row["ms"] = round(form["ms"], 3)
        row["MB"] = round(form["bytes"] / 1e6, 2)
        row["G bit operations"] = round(form["bit_operations"] / 1e9, 3)
        row["of float32's"] = f"{form['bit_operations'] / max(1, whole):.1%}"
        made.append(row)
    return made
