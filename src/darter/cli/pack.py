"""`darter pack`: many small files into few large ones."""

from pathlib import Path
from typing import Annotated

import typer

from darter.cli import options
from darter.errors import OptionError
from darter.names import visible

LISTED = 20  # files left out that are listed one by one


def pack(
    folder: Annotated[
        Path, typer.Argument(help="Folder per class, train/val/test above that, or a CSV file.")
    ],
    out: Annotated[Path, typer.Argument(help="A new folder for the shards and their index.")],
    test: Annotated[
        str | None, typer.Option(help="Subfolder, folder or CSV that is the test split.")
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(help="none: a folder unknown/ is a class like any other, as for train."),
    ] = None,
    max_side: Annotated[
        int | None, typer.Option(min=16, help="Shrink pictures whose long side is longer.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="Store as JPEG of this quality.")
    ] = None,
    shard_megabytes: Annotated[int, typer.Option(min=1, help="Size of a shard.")] = 100,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
) -> None:
    """Pack a folder of pictures into WebDataset tars, which a slow disk reads much faster.

    `darter train OUT` then trains from them. Without --max-side and --quality the files keep their
    bytes, and every picture its name.
    """
    from rich.console import Console

    from darter.cli.audit import with_progress
    from darter.dataset import find_samples
    from darter.dataset import pack as write

    if unknown not in (None, "none"):
        raise OptionError(
            f"--unknown {unknown}: expected none. A folder unknown/ beside the classes is packed "
            "with them; any other folder is given to darter train --unknown."
        )
    listing = find_samples(folder, test=test, strangers=unknown is None)
    try:
        made = with_progress(
            "packing pictures",
            lambda progress: write(
                listing,
                out,
                max_side=max_side,
                quality=quality,
                shard_bytes=shard_megabytes * 1_000_000,
                progress=progress,
                workers=options.workers_of(workers, cluster),
            ),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped: what lies in {out} is no pack yet; the same command begins again"
        ) from None
    console = Console(highlight=False)
    shrunk = f", {made.shrunk} stored smaller" if made.shrunk else ""
    shards = "1 shard" if made.shards == 1 else f"{made.shards} shards"
    megabytes = f"{made.bytes / 1e6:.1f} MB"
    strange = f" and {made.strangers} of unknown/" if made.strangers else ""
    console.print(
        f"{made.pictures} pictures{strange} in {shards}, {megabytes}{shrunk}: {visible(made.root)}",
        markup=False,
    )
    for name, reason in made.left_out[:LISTED]:
        console.print(f"left out: {visible(name)}: {visible(reason)}", markup=False)
    if len(made.left_out) > LISTED:
        console.print(f"and {len(made.left_out) - LISTED} more files are left out")
