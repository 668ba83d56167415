"""Made-up figures of a run that agree with each other: race, evaluation, epochs, heat maps."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

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


def wilson(accuracy: float, n: int) -> list[float]:
    """The interval of a proportion, as the records carry it."""
    z = 1.96
    center = (accuracy + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(accuracy * (1 - accuracy) / n + z * z / (4 * n * n))
    return [max(0.0, float(center - half)), min(1.0, float(center + half))]


def race_of(kind: str, rng: np.random.Generator) -> dict:
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


def evaluation_of(kind: str, n: int, split: str, rng: np.random.Generator) -> dict:
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


def write_metrics(path: Path, rng: np.random.Generator, epochs: int = 14) -> None:
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


def explained(folder: Path, evaluation: dict, rng: np.random.Generator) -> dict:
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
