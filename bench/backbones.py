"""Does `--backbone auto` pay? Against the default net alone, in the same time, on a test split.

    python bench/backbones.py ants_and_bees --test val --time 120s
    python bench/backbones.py cifar10_small --test test --per-class 150 --time 120s

Each run is a whole `darter train` of its own, with the same seed and time; the difference is of
answers to the same test pictures (paired bootstrap, 95%). Rows go to bench/results/backbones.jsonl.
With --work DIR the runs stay there: the same command goes on where it was interrupted.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from darter.dataset import find_samples
from darter.files import read_json
from darter.job import parse_seconds
from darter.machine import describe
from darter.noise import paired_interval
from darter.report import table
from darter.transfer.zoo import DEFAULT

RESULTS = Path(__file__).parent / "results" / "backbones.jsonl"


def listed(folder, test, per_class, into):
    """A CSV of the folder's pictures, at most so many per class and split, drawn at random."""
    found = find_samples(str(folder), test=test).samples
    order = np.random.default_rng(0).permutation(len(found))
    kept, counts = [], {}
    for sample in (found[k] for k in order):
        split = "test" if sample.split == "test" else "train"
        counts[key] = counts.get(key := (split, sample.labels[0]), 0) + 1
        if per_class is None or counts[key] <= per_class:
            kept.append((str(Path(sample.path).resolve()), sample.labels[0], split))
    path = Path(into) / f"{Path(folder).name}.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *sorted(kept)])
    return path


def trained(data, out, options, backbone):
    """A whole run: right or wrong for each test picture, and what it says of itself.

    One that lies in `out` is gone on with, or taken as it is if it is done and of the same kind.
    """
    asked = ["--time", options.time, "--seed", options.seed, "--backbone", backbone]
    begun = out / "run.json"
    if begun.exists() and not is_of(read_json(begun)["options"], options, backbone):
        raise SystemExit(f"{out} is a run of other options; name another --work, or remove it")
    new = [data, "--out", out, *asked]
    how = ["--resume", out] if begun.exists() else new
    command = [sys.executable, "-m", "darter", "train", *how, "-q"]
    alone = os.environ | {"XDG_CACHE_HOME": str(out.with_name(f"{out.name}-cache"))}
    # A cache of its own: features that the first run left would be a gift to the second.
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env=alone)
    answers = sorted(read_json(out / "evaluation.json")["predictions"], key=lambda p: p["path"])
    right = np.array([p["predicted"] == p["label"] for p in answers], float)
    run, choice = read_json(out / "run.json"), out / "backbones.json"
    about = {
        "asked for": backbone,
        "net": run["backbone"]["name"],
        "strategy": run["strategy"]["name"],
        "seconds": round(sum(run["seconds"].values())),
        "ms": read_json(out / "speed.json")["milliseconds"]["batch_1"]["median"],
        "why": read_json(choice)["why"] if choice.exists() else "",
    }
    return right, about


def is_of(known, options, backbone):
    """Whether a run's own options are these."""
    recipe = known["recipe"]
    return (
        recipe["backbone"] == backbone
        and recipe["seed"] == options.seed
        and known["seconds"] == parse_seconds(options.time)
    )


@contextmanager
def folder_for(work):
    """The folder that was named, or one that goes away."""
    if work is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
    else:
        work.mkdir(parents=True, exist_ok=True)
        yield work


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--test", required=True, help="test split, as for darter train")
    parser.add_argument("--time", default="120s")
    parser.add_argument("--per-class", type=int, help="pictures of each class, in each split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder for the runs, to go on in")
    options = parser.parse_args()
    with folder_for(options.work) as work:
        data = listed(options.folder, options.test, options.per_class, work)
        plain, one = trained(data, work / "plain", options, DEFAULT)
        auto, other = trained(data, work / "auto", options, "auto")
    low, high = paired_interval(auto - plain)
    rows = []
    for right, about in ((plain, one), (auto, other)):
        rows.append({**about, "right": f"{right.mean():.1%} of {len(right)}"})
    print(table([{k: v for k, v in row.items() if k != "why"} for row in rows],
                title=f"{options.folder.name}, {options.time} each"))  # fmt: skip
    print(f"auto: {other['why']}")
    print(f"gain of auto: {100 * (auto - plain).mean():+.1f} points, "
          f"95% interval {100 * low:+.1f} to {100 * high:+.1f}", flush=True)  # fmt: skip
    record = {
        "data": options.folder.name, "time": options.time, "seed": options.seed, "runs": rows,
        "gain": float((auto - plain).mean()), "interval": [low, high], "machine": describe(),
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
