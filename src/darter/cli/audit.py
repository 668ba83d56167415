"""`darter audit`: what is wrong with the pictures, before any training."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darter.cli import options
from darter.names import to_json, visible
from darter.picture import LEFT_OUT

if TYPE_CHECKING:
    from darter.dataset import Audit, Listing

EXAMPLES = 3
LISTED = 50  # files left out that are listed one by one


def audit(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder per class, train/val/test above that, pictures with boxes, or a CSV."
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print everything as one object.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write everything as JSON to a file.")] = None,
    test: Annotated[
        str | None, typer.Option(help="Subfolder, folder or CSV that is the test split.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: all CPUs.")] = None,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
) -> None:
    """Say what is wrong with a folder of pictures: broken and odd files, copies, leaks, labels,
    boxes.

    Nothing is changed. What `darter train` would refuse is said at the end; only a folder that
    cannot be read is an error.
    """
    from darter.dataset import scan, survey_samples
    from darter.files import check_writable, write_json

    if out is not None:
        check_writable(out)
    listing = survey_samples(folder, test=test)
    shared = options.workers_of(workers, cluster)
    found = with_progress(
        "reading pictures",
        lambda progress: scan(listing, threads=threads, progress=progress, workers=shared),
    )
    from rich.console import Console

    refused = _refused(listing, found)
    record = found.to_json() | {"train_refuses": refused}
    if out is not None:
        write_json(out, record)
    if json:
        print(to_json(record, indent=1))
    else:
        _print(found)
        if refused is not None:
            Console(highlight=False).print(
                f"darter train would refuse this: {visible(refused)}", markup=False
            )
        if out is not None:
            print(f"written to {out}")


def _refused(listing: "Listing", found: "Audit") -> str | None:
    """Why nothing could be trained on these pictures, if so."""
    from darter.dataset import check_enough, check_listing, split
    from darter.errors import DataError

    try:
        check_listing(listing)
        check_enough(found, split(found, seed=0))
    except DataError as error:
        return str(error)
    return None


def with_progress(title: str, work):
    """work(progress), with a bar on the terminal's error stream."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def _print(found: "Audit") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for table in (_classes(found), _left_out(found), _others(found)):
        if table.row_count:
            console.print(table)
    more = len(found.left_out) - LISTED
    if more > 0:
        files = "1 more file is" if more == 1 else f"{more} more files are"
        console.print(f"{files} left out; --json lists all")
    for title, groups in (
        ("Exact copies", found.duplicates),
        ("Near-duplicates", found.near_duplicates),
    ):
        named = [", ".join(found.name(index) for index in group) for group in groups]
        _print_some(console, title, named)
    _print_some(console, "Two labels", [", ".join(c.paths) for c in found.conflicts])
    for line in found.summary():
        console.print(visible(line), markup=False)


def _print_some(console, title: str, lines: list[str]) -> None:
    for line in lines[:EXAMPLES]:
        console.print(f"{title}: {visible(line)}", markup=False)
    if len(lines) > EXAMPLES:
        more = len(lines) - EXAMPLES
        console.print(f"{title}: {more} more group{'s' * (more > 1)}", markup=False)


def _classes(found: "Audit"):
    from rich.markup import escape
    from rich.table import Table

    counts, objects = found.counts, found.objects
    splits = list(next(iter(counts.values()), {}))
    boxes = ("boxes",) if objects else ()
    table = Table("class", *({"unassigned": "pictures"}.get(s, s) for s in splits), *boxes)
    for column in table.columns[1:]:
        column.justify = "right"
    for label, row in counts.items():
        cells = [str(row[split]) for split in splits]
        cells += [str(objects[label])] if objects else []
        table.add_row(escape(visible(label)), *cells)
    return table


def _left_out(found: "Audit"):
    from rich.markup import escape
    from rich.table import Table

    table = Table("left out", "kind", "why")
    for finding in found.left_out[:LISTED]:
        table.add_row(escape(visible(finding.path)), finding.kind, escape(visible(finding.detail)))
    return table


def _others(found: "Audit"):
    """What is used all the same, by kind."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("used", "kind", "files", "for example")
    table.columns[2].justify = "right"
    others = [f for f in found.findings if f.action != LEFT_OUT]
    counts = Counter((f.action, f.kind) for f in others)
    for (action, kind), count in sorted(counts.items(), key=lambda c: (c[0][0], -c[1])):
        first = next(f for f in others if f.kind == kind)
        table.add_row(action, kind, str(count), escape(visible(f"{first.path}: {first.detail}")))
    return table
