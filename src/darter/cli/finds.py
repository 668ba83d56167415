"""A DetectionEvaluation on the terminal, and as a CSV file."""

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

from darter.names import to_cell, visible

if TYPE_CHECKING:
    from darter.model import DetectionEvaluation


def show(result: "DetectionEvaluation", record: dict[str, Any], title: str) -> None:
    """Print how good the boxes are together, then each class, the hardest first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(visible(title), "bold"), soft_wrap=True)
    console.print()
    for name, key in (("AP50", "ap50"), ("AP50-95", "ap")):
        low, high = record["intervals"][key]
        about = f" ({result.n} pictures; 95% interval {low:.1%} to {high:.1%})."
        console.print(Text.assemble(f"{name} ", (f"{record[key]:.1%}", "bold"), about))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("class", overflow="ellipsis", min_width=9, max_width=40)
    headings = ("there", "told", "AP50", "AP50-95", "precision", "recall", "count\nerror")
    for heading in (*headings, "told\nfrom"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sorted(record["per_class"], key=lambda r: (r["ap50"] or 0.0, r["label"])):
        figures = ("ap50", "ap", "precision", "recall", "count_error", "threshold")
        cells = ["–" if row[key] is None else f"{row[key]:.1%}" for key in figures]
        table.add_row(Text(visible(row["label"])), str(row["things"]), str(row["found"]), *cells)
    console.print(table)
    for line in unmarked_lines(record):
        console.print(Text(line), soft_wrap=True)
    for path, reason in result.unreadable[:20]:
        console.print(Text(f"not judged: {visible(path)}: {visible(reason)}", "red"))


def unmarked_lines(record: dict[str, Any]) -> list[str]:
    """What the model is sure of and nobody marked, where, and what it means for the counts."""
    if not record["unmarked"]:
        return []
    rows = [row for row in record["per_class"] if row["unmarked"]]
    things = ", ".join(f"{row['unmarked']} {visible(row['label'])}" for row in rows)
    errors = ", ".join(f"{visible(row['label'])} {row['count_error_if_there']:.1%}" for row in rows)
    worst = ", ".join(f"{visible(path)} ({count})" for path, count in record["unmarked"][:5])
    return [
        f"In {len(record['unmarked'])} pictures the model is sure of things that nobody marked "
        f"({things}): look whether boxes are missing there.",
        f"Most: {worst}.",
        f"If all of them are there, the counts are off by: {errors}.",
    ]


def rows_as_csv(result: "DetectionEvaluation") -> str:
    """A row per picture: how many are there, told, missed and false."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "there", "told", "missed", "false"))
    for entry in result.pictures:
        there = sum(not true["spare"] for true in entry["true"])
        missed = sum(true["missed"] for true in entry["true"])
        false = sum(found["false"] for found in entry["found"])
        writer.writerow((to_cell(entry["path"]), there, len(entry["found"]), missed, false))
    return text.getvalue()
