"""Does the compiled core train as PyTorch does? The same nets from scratch by both, drawn together.

    python bench/training_curves.py cifar10_small --epochs 8 --seeds 3

Trains the small net for pictures of 32 x 32 from scratch, for each seed by both computes: the same
first weights, batches and augmentation; the order of float32 sums and what dropout drops differ,
so that the curves of one seed part, as those of two seeds do.

FOLDER holds train/ and test/. Rows (loss and accuracy on the test pictures after each epoch) go to
bench/results/training_curves.jsonl, where a training that is there already is not repeated; the
curves to docs/pictures/training_curves.svg. Seconds mean something only on a quiet machine.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from darter.dataset import find_samples
from darter.picture import Augment, Preprocess
from darter.report import table
from darter.train import Examples, Recipe, fit, start_model
from darter.transfer import STRATEGIES, small_net

ROOT = Path(__file__).parent
RESULTS = ROOT / "results" / "training_curves.jsonl"
PICTURE = ROOT.parent / "docs" / "pictures" / "training_curves.svg"
HALF = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
COLORS = {"pytorch": "#b0562b", "darter": "#0b6e99"}


def examples(folder, most):
    """Pictures of folders named by class, `most` of them at random."""
    samples = list(find_samples(str(folder)).samples)
    order = np.random.default_rng(0).permutation(len(samples))[:most]
    chosen = [samples[k] for k in sorted(order)]
    classes = sorted({s.labels[0] for s in samples})
    labels = np.array([classes.index(s.labels[0]) for s in chosen], np.int64)
    return Examples([s.path for s in chosen], labels), classes


def train(compute, seed, options):
    learned, classes = examples(options.folder / "train", options.pictures)
    held, _ = examples(options.folder / "test", options.pictures)
    strategy = STRATEGIES["scratch"]
    recipe = Recipe(
        epochs=options.epochs, learning_rate=3e-3, patience=0, seed=seed, precision="float32",
        compute=compute,
    )  # fmt: skip
    model = start_model(small_net(32, seed), strategy, len(classes), None, seed)
    fitted = fit(
        model, strategy, recipe, learned, held, None,
        augment=Augment.default(32, "small", **HALF), preprocess=Preprocess(32, 32, **HALF),
    )  # fmt: skip
    return {
        "compute": compute,
        "seed": seed,
        "epochs": options.epochs,
        "pictures": len(learned),
        "history": fitted.history,
    }


def key(row):
    return row["compute"], row["seed"], row["epochs"], row["pictures"]


def draw(rows, file):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "darter"}):
        figure, both = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
        for row in rows:
            trained = [epoch for epoch in row["history"] if epoch["loss"] is not None]
            for axes, what in zip(both, ("loss", "val_accuracy"), strict=True):
                axes.plot(
                    [epoch["epoch"] for epoch in trained],
                    [epoch[what] for epoch in trained],
                    color=COLORS[row["compute"]],
                    linestyle="--" if row["compute"] == "darter" else "-",
                    linewidth=1,
                    label=row["compute"] if row["seed"] == rows[0]["seed"] else None,
                )
                axes.set(xlabel="epoch", ylabel=what.replace("val_", "test ").replace("_", " "))
        both[0].legend(frameon=False)
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)


def summary(rows):
    """Accuracy after the last epoch by compute, and of the same seeds the difference."""
    last = {
        (r["compute"], r["seed"]): (
            r["history"][-1]["val_accuracy"],
            r["history"][-1]["loss"],
            r["history"][-1]["seconds"],
        )
        for r in rows
    }
    seeds = sorted({seed for _, seed in last})
    table_rows = [
        {
            "seed": seed,
            **{
                f"{what}, {compute}": last[compute, seed][place]
                for place, what in enumerate(("accuracy", "loss", "seconds"))
                for compute in COLORS
            },
        }
        for seed in seeds
    ]
    print(table(table_rows))
    gains = [last["darter", seed][0] - last["pytorch", seed][0] for seed in seeds]
    if len(gains) > 1:
        half = 1.96 * stdev(gains) / len(gains) ** 0.5
        print(f"accuracy, darter less PyTorch: {mean(gains):+.4f} +- {half:.4f} (95%)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=10_000, help="for training, at most")
    options = parser.parse_args()
    rows = [json.loads(line) for line in RESULTS.open()] if RESULTS.exists() else []
    done = {key(row) for row in rows}
    for seed in range(options.seeds):
        for compute in COLORS:
            if (compute, seed, options.epochs, options.pictures) in done:
                continue
            row = train(compute, seed, options)
            rows.append(row)
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            last = row["history"][-1]
            print(f"seed {seed}, {compute}: {last['val_accuracy']:.4f} in {last['seconds']:.0f} s",
                  flush=True)  # fmt: skip
    rows = [
        r
        for r in rows
        if (r["epochs"], r["pictures"]) == (options.epochs, options.pictures)
        and r["seed"] < options.seeds
    ]
    draw(rows, PICTURE)
    summary(rows)


if __name__ == "__main__":
    main()
