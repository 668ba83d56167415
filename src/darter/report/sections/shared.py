"""What several sections ask of the records."""

import os
from pathlib import Path

from darter.report.records import Record, Records


def kept(records: Records) -> str | None:
    """Name of the strategy whose model was kept."""
    kept = records.run.get("strategy") or (records.race or {}).get("winner") or {}
    return kept.get("name") or kept.get("strategy")


def title(records: Records, strategy: str) -> str:
    """The race's own words for a strategy, or its name."""
    for candidate in (records.race or {}).get("candidates", []):
        if candidate["strategy"] == strategy and candidate.get("title"):
            return candidate["title"]
    return strategy


def part_counts(records: Records) -> dict[str, int] | None:
    """Pictures of train, val and test."""
    counts = records.run.get("counts")
    if counts is None and records.split is not None:
        counts = {part: len(records.split.get(part, [])) for part in ("train", "val", "test")}
    return counts


def calibration(records: Records) -> Record:
    return (records.evaluation or {}).get("calibration") or {}


def not_raced(records: Records) -> str:
    if records.run.get("state") == "done":
        return "No strategies were compared: the run used the one that it was given."
    return "The strategies have not been compared yet."


def not_evaluated(records: Records) -> str:
    if records.evaluation is None and records.run.get("state") == "done":
        return "No pictures were left to test the model on, so this was not measured."
    return "The model has not been evaluated yet."


def data_name(records: Records) -> str:
    root = (records.audit or {}).get("root") or records.folder.name
    return Path(root).name or str(root)


def shown(path: Path) -> str:
    """The path as somebody in the working folder would type it."""
    resolved, here = path.resolve(), Path.cwd()
    return os.fspath(resolved.relative_to(here) if resolved.is_relative_to(here) else resolved)
