"""Options that commands share: which model, what it does not say itself, how answers are given."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darter import cluster as cluster_room
from darter.errors import OptionError
from darter.names import visible

if TYPE_CHECKING:
    from darter.model import Session

ABSENT = "For a model not made by darter"

ModelPath = Annotated[
    str, typer.Argument(help="An ONNX picture classifier, or a training run's folder.")
]
Images = Annotated[
    list[str] | None,
    typer.Argument(
        help="Pictures, folders (searched below, packed ones too), or - for one on stdin.",
        metavar="IMAGE",
    ),
]
ListFile = Annotated[
    Path | None, typer.Option("--list", help="Text file: one picture a line; - for stdin.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that share the work, by Ray.")]
Cluster = Annotated[
    str | None, typer.Option(help="Ray cluster whose machines share the work: HOST:PORT, or auto.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="all")]
Runtime = Annotated[
    str,
    typer.Option(help="darter, onnxruntime, or auto: darter's own wherever it can run the model."),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="float32, or bfloat16: faster on CPUs that have it, less exact.",
        show_default="what the model asks for, where the CPU has it",
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Pictures that run through the net together.")]
UnknownBelow = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help='Say "unknown" below this confidence.', show_default="the model's"
    ),
]
Over = Annotated[
    str | None,
    typer.Option(
        help="Average answers over views:10x5, flip, augment:8, models, dropout:16 (where it was "
        "kept), with commas; none for a single look.",
        show_default="what the model decided",
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(help="Text file: one class name a line.", rich_help_panel=ABSENT),
]
Size = Annotated[
    int | None, typer.Option(min=1, help="Side of its input in pixels.", rich_help_panel=ABSENT)
]
Mean = Annotated[
    str | None,
    typer.Option(help="Mean of R,G,B in [0, 1], e.g. 0.5,0.5,0.5.", rich_help_panel=ABSENT),
]
Std = Annotated[
    str | None, typer.Option(help="Standard deviation, likewise.", rich_help_panel=ABSENT)
]
OneObject = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="The result only.")]
CalibrateBy = Annotated[int, typer.Option(min=8, max=4096, help="Pictures to find ranges by.")]
CalibrationSeed = Annotated[int, typer.Option(min=0, help="Of which pictures calibrate.")]


def say_aside(*, silent: bool) -> Callable[[str], None]:
    """Tells on stderr what a command is about, or nobody."""
    return (lambda sentence: None) if silent else (lambda s: typer.echo(visible(s), err=True))


def open_model(
    path: str,
    threads: int | None,
    classes: Path | None,
    size: int | None,
    mean: str | None,
    std: str | None,
    runtime: str = "auto",
    precision: str | None = None,
) -> "Session":
    """Load the model; what had to be guessed about it, and any warning, goes to stderr."""
    from darter.model import OTHERS, load, other_task, task_of_file

    task = task_of_file(path)
    if task in OTHERS:
        raise other_task(path, task)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = load(
            path,
            runtime=runtime,
            precision=precision,
            threads=threads,
            classes=None if classes is None else read_lines(classes, "--classes"),
            size=size,
            mean=numbers("--mean", mean),
            std=numbers("--std", std),
        )
    for note in (*(str(each.message) for each in caught), *session.notes):
        typer.echo(f"note: {visible(note)}", err=True)
    return session


def parse_over(text: str | None) -> tuple[str, ...] | None:
    """The sources of `--over views:10x5,flip`; None where it is not given."""
    if text is None:
        return None
    sources = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not sources:
        raise OptionError('--over needs names such as views:10x5 or flip, or "none"')
    return sources


def warn_of_single_look(over: str | None) -> None:
    """Say that confidences are not of the average that is asked for."""
    typer.echo(
        f"note: confidences of --over {visible(over or '')} were never fitted; those of a single "
        f"look are taken. darter evaluate MODEL LABELLED --over {visible(over or '')} --calibrate "
        "fits them.",
        err=True,
    )


def read_lines(path: Path, option: str) -> list[str]:
    """The lines of a text file that are not blank."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a UTF-8 text file"
        raise OptionError(f"{option} {path}: {reason}") from error
    return [line.strip() for line in lines if line.strip()]


def numbers(option: str, text: str | None) -> list[float] | None:
    """What stands between commas; None where the option is not given."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(
            f"{option} must be numbers with commas, e.g. 0.5,0.5,0.5; got {text!r}"
        ) from None


def workers_of(workers: int | None, cluster: str | None) -> cluster_room.Workers | None:
    """Who shares a work, as --workers and --cluster say; None: this process alone."""
    if not (workers or cluster):
        return None
    return cluster_room.Workers(workers, cluster)
