"""An audit in a notebook: what can be used, examples of each class, and what is odd."""

from collections import Counter
from typing import TYPE_CHECKING

from darter import markup
from darter.errors import DataError
from darter.picture import LEFT_OUT, thumbnail

if TYPE_CHECKING:
    from darter.dataset.audit import Audit

CLASSES, EXAMPLES, FILES, COPIES = 12, 4, 20, 3  # that are shown


def audit_html(audit: "Audit") -> markup.Html:
    parts = [markup.paragraph(line) for line in audit.summary()]
    splits = list(next(iter(audit.counts.values()), {}))
    rows = [(label, *counts.values()) for label, counts in audit.counts.items()]
    names = ("pictures" if split == "unassigned" else split for split in splits)
    parts.append(markup.table(("class", *names), rows))
    for label in audit.classes[:CLASSES]:
        chosen = [k for k, p in enumerate(audit.pictures) if label in p.sample.labels]
        step = max(1, len(chosen) // EXAMPLES)
        parts.append(_pictures(audit, chosen[::step][:EXAMPLES], label))
    if audit.left_out:
        left_out = [(f.path, f.kind, f.detail) for f in audit.left_out[:FILES]]
        parts.append(markup.table(("left out", "kind", "why"), left_out))
    others = Counter((f.action, f.kind) for f in audit.findings if f.action != LEFT_OUT)
    if others:
        found = [(kind, action, count) for (action, kind), count in others.most_common()]
        parts.append(markup.table(("found", "what became of it", "files"), found))
    for group in (*audit.duplicates, *audit.near_duplicates)[:COPIES]:
        parts.append(markup.paragraph("The same picture, or nearly:"))
        parts.append(_pictures(audit, list(group[:EXAMPLES])))
    return markup.joined(parts)


def _pictures(audit: "Audit", indices: list[int], caption: str = "") -> markup.Html:
    parts = []
    for index in indices:
        try:
            small = thumbnail(audit.pictures[index].sample.path)
        except DataError:  # it is gone by now
            continue
        parts.append(markup.picture(small, caption or audit.name(index)))
    return markup.Html(f"<div>{markup.joined(parts)}</div>")
