"""Pictures of a detector's worst mistakes, with what is there and what was found drawn in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darter.model import draw_boxes, marks_of, mistakes_of, wrong_boxes
from darter.picture import decode

SHOWN = 12
SIDE = 720  # pixels of the long side


def draw_gallery(record: dict[str, Any], paths: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write gallery/NUMBER.jpg of the pictures with most misses and false finds: explain.json."""
    entries = record["predictions"]
    wrong = [k for k in range(len(entries)) if wrong_boxes(entries[k])]
    worst = sorted(wrong, key=lambda k: -wrong_boxes(entries[k]))[:SHOWN]
    (out / "gallery").mkdir(exist_ok=True)
    shown = []
    for number, k in enumerate(worst):
        name = f"gallery/{number:02}.jpg"
        draw_boxes(decode(paths[k]).pixels, marks_of(entries[k]), out / name, side=SIDE)
        shown.append({"path": entries[k]["path"], "picture": name, **mistakes_of(entries[k])})
    return {"detections": shown, "wrong": len(wrong), "n": len(entries)}
