"""Does training wait for its pictures? One epoch from files beside one from a preloaded tensor.

    python bench/epoch.py FOLDER [--rounds 3] [--pictures 160] [--size 224]

Fine-tunes all of EfficientNet-Lite0 with the trainer's own loop, in float32: from files, decoded
and augmented anew in each epoch (nothing is kept in memory), and from batches that were made
before. Both take turns, so that a busy machine slows both. Prints, per round and as medians: the
seconds of the epoch, the share that the model waited for pictures, what the pictures add in seconds
and in processor time over the cores, and what they take there alone. Writes
bench/results/epoch-ISA.jsonl.
"""

import argparse
import copy
import json
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does

import numpy as np
import torch

from darter import kernels
from darter.dataset import Loader, PictureCache, find_samples
from darter.machine import available_cpus
from darter.picture import Augment
from darter.train.classifier import ClassifierTraining
from darter.train.device import computing, move
from darter.train.examples import Examples
from darter.train.loop import Loop
from darter.train.optimizer import settle_recipe, settle_strategy
from darter.train.recipe import Recipe
from darter.transfer import strategies, zoo
from darter.transfer.backbone import Classifier
from darter.transfer.strategies import prepare


class Preloaded:
    """A loader whose batches were made before."""

    waited = 0.0

    def __init__(self, loader: Loader) -> None:
        self.batches = list(loader.epoch(0))

    def epoch(self, epoch: int, start_batch: int = 0):
        yield from self.batches[start_batch:]


class Silent:
    """Watches a loop without doing anything."""

    def step(self, loop: Loop, loss: float) -> None: ...

    def epoch(self, loop: Loop) -> None: ...


def train_one_epoch(
    task: ClassifierTraining, preloaded: Preloaded | None
) -> tuple[float, float, float]:
    """(seconds, seconds waited, processor seconds) of an epoch, from the weights of the task."""
    loop = replace(task, model=copy.deepcopy(task.model)).begin(None)
    if preloaded is not None:
        loop.train = preloaded  # type: ignore[assignment]
    began = time.process_time()
    loop.run(Silent())
    spent = time.process_time() - began
    steps = loop.position.history[-1]
    return len(task.train) / steps["pictures_per_second"], steps["waited_seconds"], spent


def loader_seconds(loader: Loader) -> float:
    """Processor time that an epoch's pictures take by themselves."""
    began = time.process_time()
    for _ in loader.epoch(0):
        pass
    return time.process_time() - began


def make_task(folder: Path, pictures: int, size: int) -> ClassifierTraining:
    samples = [s for s in find_samples(folder).samples if s.split in (None, "train")]
    chosen = np.random.default_rng(0).permutation(len(samples))[:pictures]
    classes = sorted({sample.label for sample in samples})
    labels = np.array([classes.index(samples[i].label) for i in chosen], np.int64)
    backbone = zoo.load()
    recipe = Recipe(
        epochs=1, size=size, precision="float32", device="cpu", patience=0, learning_rate=1e-4
    )
    strategy = settle_strategy(strategies.get("fine-tune-all"), recipe)
    recipe = settle_recipe(recipe, strategy)
    model = Classifier(backbone, len(classes))
    move(model, torch.device("cpu"), recipe.channels_last)
    prepare(model, strategy)
    return ClassifierTraining(
        model,
        strategy,
        recipe,
        Examples([samples[i].path for i in chosen], labels),
        Examples([], labels[:0]),
        Augment.default(size, mean=backbone.mean, std=backbone.std),
        backbone.preprocess(size),
        torch.device("cpu"),
        PictureCache(0),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    task = make_task(options.folder, options.pictures, options.size)
    cores = available_cpus()
    rows = []
    with computing(task.device, "auto"):
        loader = task.begin(None).train
        preloaded = Preloaded(loader)
        share = loader_seconds(loader) / cores
        for _ in range(options.rounds):
            files, waited, files_spent = train_one_epoch(task, None)
            tensor, _, tensor_spent = train_one_epoch(task, preloaded)
            row = {"files": files, "waited": waited, "tensor": tensor}
            rows.append({**row, "files_spent": files_spent, "tensor_spent": tensor_spent})
            print({name: round(value, 3) for name, value in rows[-1].items()})
    medians = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    added = statistics.median(row["files"] - row["tensor"] for row in rows)
    spent = statistics.median(row["files_spent"] - row["tensor_spent"] for row in rows) / cores
    print(
        f"{options.pictures} pictures at {options.size}, {cores} threads: "
        f"from files {medians['files']:.2f} s, waiting {medians['waited'] / medians['files']:.2%}; "
        f"from a preloaded tensor {medians['tensor']:.2f} s"
    )
    print(
        f"the pictures add {added:.2f} s, {spent:.2f} s of processor time over the cores; "
        f"alone they take {share:.2f} s there ({share / medians['tensor']:.1%} of the epoch)"
    )
    about = {"pictures": options.pictures, "size": options.size, "threads": cores}
    record = {**about, "torch": torch.__version__, "rounds": rows, "loader": share}
    results = Path(__file__).parent / "results"
    (results / f"epoch-{kernels.active_isa()}.jsonl").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
