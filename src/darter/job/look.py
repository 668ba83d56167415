"""The first stages of every job: the audit of the pictures, and what each is for."""

from collections.abc import Sequence
from typing import Any

from darter.dataset import Audit, Listing, Split, check_enough, scan, split
from darter.errors import DataError
from darter.job.run import Run

PARTS = ("train", "val", "test")


def look(run: Run, listing: Listing) -> tuple[Audit, Split]:
    """Scan the pictures and split them: audit.json, pictures.json, split.json."""
    with run.stage("audit") as progress:
        audit = scan(listing, progress=progress, workers=run.options.machines.reading)
        parts = split(audit, seed=run.recipe.seed)
        check_enough(audit, parts)
    names = {part: [audit.name(k) for k in getattr(parts, part)] for part in PARTS}
    record: dict[str, Any] = names | {"how": parts.how}
    folder = run.folder
    content = {audit.name(k): picture.digest for k, picture in enumerate(audit.pictures)}
    _check_same(run, record, content)
    folder.record("audit", audit.to_json())
    folder.record("pictures", content)
    folder.record("split", record)
    counts = {name: len(getattr(parts, name)) for name in PARTS}
    folder.save(classes=list(audit.classes), counts=counts, seed=run.recipe.seed)
    lines = audit.summary()
    if audit.findings:
        lines.append(f"Each file by name: {folder.path / 'audit.json'}")
    run.say("audit", "\n".join(lines))
    run.say("split", ", ".join(f"{count} {name}" for name, count in counts.items()))
    return audit, parts


def check_readable(unreadable: Sequence[tuple[str, str]]) -> None:
    """Raise DataError where a picture that the audit could read is unreadable now.

    unreadable: path and reason of each.
    """
    if unreadable:
        path, reason = unreadable[0]
        raise DataError(f"{path} was readable when the run began and is not now: {reason}")


def _check_same(run: Run, record: dict[str, Any], content: dict[str, str]) -> None:
    """Raise DataError where a run that goes on finds other pictures than it began with."""
    before = run.folder.read("pictures") if run.folder.has("pictures") else content
    reason = None
    for name, digest in before.items():
        if content.get(name) != digest:
            reason = f"{name} {'was replaced' if name in content else 'is gone'}"
            break
    else:
        new = next((name for name in content if name not in before), None)
        if new is not None:
            reason = f"{new} is new"
        elif run.folder.has("split") and run.folder.read("split") != record:
            reason = "they would be divided otherwise"
    if reason is not None:
        raise DataError(
            f"the pictures in {run.options.data} have changed since this run began ({reason}), so "
            f"it cannot go on. Start a new one: darter train {run.options.data}"
        )


def judged(parts: Split) -> tuple[str, tuple[int, ...]]:
    """The part that the final figures come from: test, or val where there is no test."""
    return ("test", parts.test) if parts.test else ("val", parts.val)
