"""An Evaluation on the terminal: one sentence, then classes, then what is mistaken for what."""

import csv
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from darter.names import to_cell, visible

if TYPE_CHECKING:
    from darter.model import Evaluation, Judged, MultilabelEvaluation

SHORT = 6  # letters of a class name that still fits above a column
MIXED_UP = 10  # pairs listed where the matrix does not fit


def show(result: "Evaluation", title: str) -> None:
    """Print a report that reads from the top: how good, how honest, which classes, which mixups."""
    console = Console(highlight=False)
    console.print(Text(visible(title), "bold"), soft_wrap=True)
    console.print()
    for line in _summary(result):
        console.print(line)
    console.print(_classes(result))
    matrix = _matrix(result)
    unlimited = console.options.update(max_width=10_000)
    if console.measure(matrix, options=unlimited).maximum <= console.width:
        console.print(Text("rows: true class; columns: predicted class", "dim"))
        console.print(matrix)
    else:
        console.print(_mixups(result))
    if result.unreadable:
        _list_unreadable(console, result)


def show_multilabel(result: "MultilabelEvaluation", title: str) -> None:
    """Print how good the labels are together, then each label, the hardest first."""
    console = Console(highlight=False)
    console.print(Text(visible(title), "bold"), soft_wrap=True)
    console.print()
    low, high = result.interval
    score = _percent(result.mean_average_precision)
    about = f" ({result.n} pictures; 95% interval {low:.1%} to {high:.1%})."
    console.print(Text.assemble("Mean average precision ", (score.plain, "bold"), about))
    exact, f1 = _percent(result.exact).plain, _percent(result.micro_f1).plain
    console.print(f"{exact} of the pictures got exactly their labels; F1 of all labels {f1}.")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("label", overflow="ellipsis", max_width=40)
    for name in ("pictures", "average precision", "F1", "precision", "recall", "given from"):
        table.add_column(name, justify="right")
    for row in sorted(result.per_label, key=lambda r: (r.average_precision or 0.0, r.label)):
        figures = (row.average_precision, row.f1, row.precision, row.recall, row.threshold)
        table.add_row(
            Text(visible(row.label)), str(row.count), *(_percent(value) for value in figures)
        )
    console.print(table)
    if result.unreadable:
        _list_unreadable(console, result)


def _summary(result: "Evaluation") -> list[Text]:
    low, high = result.interval
    right = int(result.confusion.trace())
    lines = [
        Text.assemble(
            "Accuracy ",
            (f"{result.accuracy:.1%}", "bold"),
            f" ({right} of {result.n} pictures; 95% interval {low:.1%} to {high:.1%}).",
        ),
    ]
    if result.majority is not None:
        lines.append(
            Text(
                f"Always naming the commonest class ({result.majority.label}) would reach "
                f"{result.majority.accuracy:.1%}; balanced accuracy "
                f"{_percent(result.balanced_accuracy)}, macro-F1 {_percent(result.macro_f1)}."
            )
        )
    if result.caution:
        lines.append(Text(f"{result.caution}.", "bold yellow"))
    if (error := result.calibration_error) is not None:
        low, high = error.interval
        about = f"Calibration error {error.value:.1%} (95% interval {low:.1%} to {high:.1%}): "
        lines.append(Text(f"{about}{result.confidence_says}."))
    below = result.calibration.unknown_below
    if below > 0:
        rest = "; none is known"
        if result.accuracy_when_known is not None:
            rest = f"; of the others {result.accuracy_when_known:.1%} are right"
        unknown = 1 - (result.coverage or 0)
        lines.append(Text(f'"Unknown" (confidence below {below:.1%}): {unknown:.1%}{rest}.'))
    return lines


def _classes(result: "Evaluation") -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("class", overflow="ellipsis", max_width=40)
    for name in ("pictures", "precision", "recall", "F1"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in result.per_class:
        ratios = (_percent(value) for value in (row.precision, row.recall, row.f1))
        table.add_row(Text(visible(row.label)), str(row.count), *ratios)
    return table


def _matrix(result: "Evaluation") -> Table:
    """Counts: true class down, predicted class across, by name where names are short."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    by_name = max(map(len, result.classes)) <= SHORT
    numbers = [str(number) for number in range(1, len(result.classes) + 1)]
    table.add_column("", justify="right", style="dim")
    table.add_column("", overflow="ellipsis", max_width=24, no_wrap=True)
    for head in result.classes if by_name else numbers:
        table.add_column(Text(visible(head)), justify="right", min_width=3, header_style="dim")
    for k, (label, counts) in enumerate(zip(result.classes, result.confusion, strict=True)):
        cells = (_cell(int(count), on_diagonal=j == k) for j, count in enumerate(counts))
        table.add_row("" if by_name else numbers[k], Text(visible(label)), *cells)
    return table


def _cell(count: int, *, on_diagonal: bool) -> Text:
    if not count:
        return Text("·", "dim")
    return Text(str(count), "bold green" if on_diagonal else "red")


def _mixups(result: "Evaluation") -> Table:
    """The most frequent confusions, for more classes than columns."""
    wrong = result.confusion.copy()
    wrong[range(len(wrong)), range(len(wrong))] = 0
    order = wrong.ravel().argsort(kind="stable")[::-1][:MIXED_UP]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in ("true class", "mistaken for"):
        table.add_column(name, overflow="ellipsis", max_width=32)
    table.add_column("pictures", justify="right")
    for place in order:
        true, called = divmod(int(place), len(wrong))
        if wrong[true, called]:
            names = (Text(visible(result.classes[k])) for k in (true, called))
            table.add_row(*names, str(wrong[true, called]))
    return table


def _list_unreadable(console: Console, result: "Judged", most: int = 10) -> None:
    count = len(result.unreadable)
    console.print(Text(f"Left out, {count} file{'s' * (count > 1)} that cannot be read:", "yellow"))
    for path, error in result.unreadable[:most]:
        console.print(Text(f"  {visible(path)}: {visible(error)}"), soft_wrap=True)
    if count > most:
        console.print(f"  … and {count - most} more")


def _percent(value: float | None) -> Text:
    return Text("–", "dim") if value is None else Text(f"{value:.1%}")


def rows_as_csv(result: "Judged") -> str:
    """A header, then a row for every picture: what it is, what the model said, how sure it was.

    Names are spelled as `darter.names.to_cell` does. Several labels are joined by |.
    """
    file = StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["path", "label", "predicted", "right", "confidence", "unknown", "error"])
    below = result.calibration.unknown_below
    for p in result.predictions:
        true, said = (
            (p["label"], p["predicted"])
            if "label" in p
            else ("|".join(sorted(names)) for names in (p["labels"], p["predicted"]))
        )
        sure = p["confidence"]
        cells = [p["path"], true, said, true == said, f"{sure:.6f}", sure < below, ""]
        rows.writerow([to_cell(cell) for cell in cells])
    for path, error in result.unreadable:
        rows.writerow([to_cell(cell) for cell in (path, "", "", "", "", "", error)])
    return file.getvalue()
