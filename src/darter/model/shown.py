"""An evaluation in a notebook: how good, class by class, and the worst mistakes as pictures."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from darter import markup
from darter.errors import DataError
from darter.picture import thumbnail

if TYPE_CHECKING:
    from darter.model.evaluate import Evaluation
    from darter.model.multilabel_evaluation import MultilabelEvaluation

MISTAKES = 12  # that are shown


def evaluation_html(result: "Evaluation") -> markup.Html:
    low, high = result.interval
    lines = [
        f"Accuracy {percent(result.accuracy)} of {result.n} pictures "
        f"(95% interval {low:.1%} to {high:.1%}). {result.caution or ''}"
    ]
    rows = [
        (row.label, row.count, percent(row.precision), percent(row.recall), percent(row.f1))
        for row in result.per_class
    ]
    table = markup.table(("class", "pictures", "precision", "recall", "F1"), rows)
    wrong = [p for p in result.predictions if p["predicted"] != p["label"]]
    wrong.sort(key=lambda p: -p["confidence"])
    shown = mistakes((p, f"{p['label']}, called {p['predicted']}") for p in wrong[:MISTAKES])
    return markup.joined((*map(markup.paragraph, lines), table, shown))


def multilabel_html(result: "MultilabelEvaluation") -> markup.Html:
    low, high = result.interval
    line = (
        f"Mean average precision {percent(result.mean_average_precision)} on {result.n} pictures "
        f"(95% interval {low:.1%} to {high:.1%}); exactly right {percent(result.exact)}."
    )
    rows = [
        (row.label, row.count, percent(row.average_precision), percent(row.f1))
        for row in result.per_label
    ]
    table = markup.table(("label", "pictures", "average precision", "F1"), rows)
    return markup.joined((markup.paragraph(line), table))


def mistakes(named: Iterable[tuple[Mapping[str, Any], str]]) -> markup.Html:
    """Pictures with words below; one whose file is gone is words alone."""
    parts = []
    for entry, words in named:
        try:
            parts.append(markup.picture(thumbnail(entry["path"]), words))
        except DataError:
            parts.append(markup.paragraph(f"{entry['path']}: {words}"))
    return markup.joined(parts)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
