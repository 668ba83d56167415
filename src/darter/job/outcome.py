"""What a finished run came to: lines for a person, one object for a program."""

import shlex
from pathlib import Path
from typing import Any

from darter.job.run_folder import RunFolder
from darter.job.screen import Screen

KEPT = ("state", "result", "baseline", "margin", "verdict", "strategy", "classes", "counts", "seed")


def outcome(folder: RunFolder) -> dict[str, Any]:
    """The result with where its files lie; keys as in run.json."""
    known = {key: folder.run.get(key) for key in KEPT}
    seconds = round(sum(folder.run["seconds"].values()), 1)
    report = folder.path / "report.html"
    return {
        "folder": str(folder.path),
        "model": str(folder.model),
        "report": str(report),
        **known,
        "seconds": seconds,
    }


def show_outcome(folder: RunFolder, screen: Screen, *, picture: Path | str = "new.jpg") -> None:
    """The result, the verdict, what to look at, and the command that comes next."""
    run, result = folder.run, folder.run["result"]
    screen.line("result", result_sentence(result))
    screen.line("verdict", run["verdict"])
    screen.line("look at", str(folder.path / "report.html"))
    command = {"AP50": "detect", "BLEU-4": "caption"}.get(result["measure"], "predict")
    screen.line("next", shlex.join(["darter", command, str(folder.model), str(picture)]))


def result_sentence(result: dict[str, Any]) -> str:
    """How good the model is, with what belongs beside that figure on a second line."""
    (low, high), n, part = result["interval"], result["n"], result["split"]
    figure = f"{result['accuracy']:.1%}"
    if result["measure"] == "accuracy":
        said = f"right for {figure} of {n} {part} pictures"
    else:
        said = f"{result['measure']} {figure} on {n} {part} pictures"
    said += f" (95% interval {low:.1%} to {high:.1%})"
    if result.get("majority"):
        said += (
            f"\nalways naming the commonest class, {result['majority']['label']}: "
            f"{result['majority']['accuracy']:.1%}; balanced accuracy "
            f"{result['balanced_accuracy']:.1%}, macro-F1 {result['macro_f1']:.1%}"
        )
    return said
