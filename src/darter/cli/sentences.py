"""A CaptionEvaluation on the terminal, and as a CSV file."""

import csv
from io import StringIO
from typing import TYPE_CHECKING

from darter.names import to_cell, visible

if TYPE_CHECKING:
    from darter.model import CaptionEvaluation

NAMES = {"bleu_1": "BLEU-1", "bleu_2": "BLEU-2", "bleu_3": "BLEU-3", "bleu_4": "BLEU-4",
         "rouge_l": "ROUGE-L", "cider": "CIDEr (of 10)", "exact": "word for word"}  # fmt: skip


def show(result: "CaptionEvaluation", title: str) -> None:
    """Print each measure with its interval."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(visible(title), "bold"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in ("measure", f"{result.n} pictures", "95% interval"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for key, name in NAMES.items():
        low, high = result.intervals[key]
        table.add_row(name, _text(key, result.scores[key]), f"{_text(key, low)}–{_text(key, high)}")
    console.print(table)
    for path, reason in result.unreadable[:20]:
        console.print(Text(f"not judged: {visible(path)}: {visible(reason)}", "red"))


def _text(key: str, value: float) -> str:
    return f"{value:.2f}" if key == "cider" else f"{value:.1%}"


def rows_as_csv(result: "CaptionEvaluation") -> str:
    """A row per picture: the sentence, its CIDEr, whether a person wrote it word for word."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "caption", "cider", "exact"))
    for entry in result.pictures:
        cells = (entry["path"], entry["caption"])
        writer.writerow((*map(to_cell, cells), entry["cider"], int(entry["exact"])))
    return text.getvalue()
