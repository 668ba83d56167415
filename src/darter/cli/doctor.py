"""`darter doctor`: which resource limits training here, and the remedy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darter.cli import options
from darter.names import to_json, visible

if TYPE_CHECKING:
    from darter.doctor import Diagnosis
    from darter.picture import ValueRange

LOOKED_AT = 256  # pictures


def doctor(
    folder: Annotated[
        Path, typer.Argument(help="Folder per class, train/val/test above that, a CSV, or a pack.")
    ],
    backbone: Annotated[str, typer.Option(help="The network to train.")] = "efficientnet_lite0",
    strategy: Annotated[
        str, typer.Option(help="What is trained: fine-tune-last, fine-tune-all, …")
    ] = "fine-tune-all",
    augment: Annotated[
        str | None,
        typer.Option(help="none, light, default, small or strong.  [default: as train would]"),
    ] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Input pixels on each side.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures in a batch.")] = 16,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the loader.")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Time to measure, about.")] = 20.0,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="As if no decoded picture stayed in memory.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Try the remedy.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
) -> None:
    """Say what limits training on this machine: reading, decoding, augmentation or the model.

    Runs the real loader and the real training step with one part after the other left out.

    With --workers or --cluster: what several processes or machines would reach together, by the
    measured time of a training step on each and of the links between them.
    """
    from rich.console import Console

    if workers or cluster:
        from darter.cli.doctor_machines import show

        show(folder, backbone, strategy, size, batch_size, workers, cluster, json=json)
        return

    from darter.dataset import find_samples
    from darter.doctor import BackboneModel, Job, diagnose, some
    from darter.errors import OptionError
    from darter.train import Recipe, usual_augment

    if precision not in ("auto", "float32", "bfloat16"):
        raise OptionError(f"--precision must be auto, float32 or bfloat16, got {precision!r}")
    listing = find_samples(folder)
    paths = [sample.path for sample in listing.samples if sample.split in (None, "train")]
    with Console(stderr=True).status("loading the network") as status:
        usable, side, value_range = _usable(some(paths, LOOKED_AT))
        recipe = Recipe(
            backbone=backbone,
            strategy=strategy,
            augment=augment or usual_augment(side),
            size=size or "auto",
            batch_size=batch_size,
            precision=precision,
        )
        model = BackboneModel(recipe, len(listing.classes), value_range)
        job = Job(usable, model.augment, model, len(paths), batch_size, threads)
        found = diagnose(
            job,
            seconds=seconds,
            verify=verify,
            cache_bytes=0 if no_cache else None,
            progress=lambda what: status.update(f"measuring {what}"),
        )
    if json:
        print(to_json(found.to_json(), indent=1))
    else:
        where = f"{model.precision}, {model.device}"
        _print(found, f"{backbone} at {model.size}, batches of {batch_size}, {where}")


def _usable(paths: tuple[Path, ...]) -> "tuple[tuple[Path, ...], int, ValueRange | None]":
    """The paths that can be decoded, their usual short side in pixels, and the range that numbers
    without a black and white are read with; DataError where none can."""
    from statistics import median

    from darter.errors import DataError
    from darter.picture import PictureError, decode

    usable, sides, must_measure = [], [], False
    values: list[float] = []
    for path in paths:
        try:
            picture = decode(path, min_side=32)
        except PictureError as error:
            if error.values is None:
                continue
            must_measure = True
            picture = decode(path, min_side=32, value_range=error.values)
        usable.append(path)
        sides.append(min(picture.size))
        values += picture.values or ()
    if not usable:
        raise DataError("none of the pictures can be read; `darter audit` says why.")
    return tuple(usable), int(median(sides)), (min(values), max(values)) if must_measure else None


def _print(found: "Diagnosis", about: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{found.pictures} pictures; {visible(about)}", markup=False)
    parts, times = found.parts, found.times
    table = Table("on one thread", "ms per picture")
    for name, value in (
        ("reading from the disk", parts.read_cold),
        ("reading again", parts.read_cached),
        ("decoding", parts.decode),
        ("augmentation", parts.augment),
    ):
        table.add_row(name, "unknown" if value is None else f"{1000 * value:.2f}")
    runs = Table("training", "ms per picture")
    runs.add_row("everything", f"{1000 * times.everything:.2f}")
    if not found.kept:
        runs.add_row("without reading", f"{1000 * times.without_reading:.2f}")
        runs.add_row("without reading and decoding", f"{1000 * times.without_decoding:.2f}")
    runs.add_row("the model alone", f"{1000 * times.without_augmentation:.2f}")
    runs.add_row("the pictures alone", f"{1000 * times.without_model:.2f}")
    for shown in (table, runs):
        shown.columns[1].justify = "right"
        console.print(shown)
    console.print(f"The model waits for pictures {100 * times.waiting:.1f}% of the time.")
    console.print(_memory(found), markup=False)
    console.print(found.sentence(), markup=False, style="bold")
    console.print(found.advice(), markup=False)


def _memory(found: "Diagnosis") -> str:
    memory = found.memory
    decoded = f"decoded the pictures take {memory.decoded / 1e9:.2f} GB"
    if found.kept:
        return (
            f"Memory: {memory.free / 1e9:.1f} GB are free; {decoded} and stay in memory, so only "
            "the first epoch reads and decodes them."
        )
    return (
        f"Memory: {memory.free / 1e9:.1f} GB are free; {decoded}, {memory.for_pictures / 1e9:.2f} "
        "GB of it are kept."
    )
