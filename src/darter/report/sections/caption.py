"""What sentences about pictures are worth."""

from darter.report.records import Record, Records
from darter.report.sections.facts import limits
from darter.report.sections.shared import not_evaluated
from darter.report.sections.speed import speed
from darter.report.sections.use import use

NAMES = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "exact": "word for word as a person",
}


def caption_scores(records: Records) -> Record:
    found = records.evaluation
    if not found or "cider" not in found:
        return {"missing": not_evaluated(records)}
    baseline = found.get("baseline") or {"scores": {}, "intervals": {}}
    better = found.get("better_by") or {}
    rows = [
        {
            "name": name,
            "ours": _shown(key, found[key]),
            "ours_interval": _range(key, found["intervals"].get(key)),
            "theirs": _shown(key, baseline["scores"].get(key)),
            "theirs_interval": _range(key, baseline["intervals"].get(key)),
            "better_by": _better(key, better.get(key)),
        }
        for key, name in NAMES.items()
    ]
    kept = found.get("kept")
    return {"missing": None, "rows": rows, "n": found["n"], "kept": kept, "compared": bool(better)}


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if key == "cider" else f"{value:.1%}"


def _range(key: str, ends: list[float] | None) -> str:
    return "–" if ends is None else f"{_shown(key, ends[0])} to {_shown(key, ends[1])}"


def _better(key: str, found: Record | None) -> str:
    if found is None:
        return "–"
    values = [found["difference"], *found["interval"]]
    shown = [f"{v:+.2f}" if key == "cider" else f"{100 * v:+.1f}" for v in values]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def caption_gallery(records: Records) -> Record:
    found = records.explain
    if found is None or "captions" not in found:
        return {"missing": "No pictures were chosen to show in this run."}
    return {"missing": None, "shown": found["captions"], "n": found["n"]}


caption_use, caption_speed, caption_limits = use, speed, limits
