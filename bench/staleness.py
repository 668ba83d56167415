"""What stale gradients cost: accuracy after the same pictures, by how old the gradients are.

    python -m bench.staleness cifar10_small/ --epochs 6
    python -m bench.staleness cifar10_small/ --epochs 6 --pictures 2000   # of each split, at most
    python -m bench.staleness cifar10_small/ --epochs 12 --net two-blocks --seeds 2   # minutes

A small net is trained from scratch through darter's own parameter server, which is given gradients
of weights that are exactly so many updates old, as where so many other workers push in between.
Staleness 0 is synchronous training. Prints a table and draws a picture. Every training has a line
in --out as soon as it has ended; the same command goes on where it was stopped.
"""

import argparse
import json
from collections import deque
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darter.distributed.servers import Group, Part, Server, arrays
from darter.errors import DarterError
from darter.train import Step

STALENESS = (0, 1, 2, 4, 8, 16)


class StaleStep(Step):
    """A step whose gradient is of the weights of `staleness` updates ago."""

    def begin(self, staleness: int, limit: int, version: int = 0) -> None:
        self.staleness, self.pushed = staleness, version
        parameters = {p: n for n, p in self.model.named_parameters()}
        groups = tuple(
            Group(tuple(parameters[p] for p in g["params"]), g["peak"], g["weight_decay"])
            for g in self.optimizer.param_groups
        )
        known = {n for g in groups for n in g.names}
        self.statistics = tuple(n for n in self.learned if n not in known)
        self.server = Server(
            Part(groups, self.statistics), self.recipe, staleness + 1, most_stale=staleness
        )
        learned = arrays(self.learned)
        self.server.load({"learned": learned, "optimizer": {}, "updates": 0}, version, limit)
        self.past: deque[tuple[int, dict[str, Any]]] = deque(maxlen=staleness + 1)

    def __call__(self, group: Any, number: int, steps: int) -> Any:
        self.past.append(self.server.pull())
        self.pushed, old = self.past[0]
        self._take(old)
        done = super().__call__(group, number, steps)
        self._take(self.server.pull()[1])
        return done

    def _take(self, weights: dict[str, Any]) -> None:
        with torch.no_grad():
            for name, value in weights.items():
                self.learned[name].copy_(torch.tensor(value))

    def update(self) -> None:
        parameters = dict(self.model.named_parameters())
        values = {n: self.learned[n].numpy(force=True) for n in self.statistics}
        for name, parameter in parameters.items():
            if name in self.learned and parameter.grad is not None:
                values[name] = parameter.grad.numpy(force=True)
        self.server.push(self.pushed, values, (0.0, 0.0, 0))


class Stale:
    """A world of one process in which gradients are old."""

    fits_one = True

    def __init__(self, staleness: int) -> None:
        self.staleness = staleness

    def threads(self, recipe: Any) -> Any:
        return recipe.threads

    def expected(self, _task: Any, speed: Any) -> Any:
        return speed

    def begin(self, task: Any, plan: Any) -> Any:
        step = StaleStep(
            task.model, task.strategy, task.recipe, task.loss(plan.class_balance), task.device,
            precision=plan.precision, learning_rate=plan.learning_rate,
        )  # fmt: skip
        step.begin(self.staleness, plan.steps)
        return step, task.loader(plan.class_balance)

    def summary(self) -> dict[str, Any]:
        return {}

    def end(self) -> None: ...


def two_blocks(seed: int, width: int = 32) -> Any:
    """A net of two convolutions, which trains ten times as fast as `small_net`."""
    from darter.transfer import Backbone
    from darter.transfer.blocks import cut
    from tests.train.tiny import TinyNet

    torch.manual_seed(seed)
    net = TinyNet(width).eval()
    return Backbone(
        name="two blocks", net=net, blocks=cut(net), feature_dim=2 * width, taps={"stem": width},
        size=32, resize=32, mean=(0.5,) * 3, std=(0.5,) * 3, source="random",
    )  # fmt: skip


def accuracy(
    data: str, staleness: int, epochs: int, pictures: int, seed: int, cache: Any, net: str
) -> tuple[float, int]:
    """(share of test pictures that are right, how many there are)."""
    from darter.dataset import find_samples
    from darter.picture import Augment, Preprocess
    from darter.train import Examples, Recipe, fit, start_model
    from darter.transfer import strategies

    listing = find_samples(data)
    names = list(listing.classes)
    look = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    parts = {}
    for split in ("train", "test"):
        samples = [s for s in listing.samples if s.split == split]
        samples = samples[:: max(1, len(samples) // pictures)]  # evenly from all classes
        labels = np.array([names.index(s.label) for s in samples], np.int64)
        parts[split] = Examples([s.path for s in samples], labels)
    recipe = Recipe(
        epochs=epochs, batch_size=32, learning_rate=2e-3, precision="float32", ema=0.0, patience=0,
        seed=seed, norm_statistics="updated",
    )  # fmt: skip
    strategy = strategies.get("scratch")
    fitted = fit(
        start_model(NETS[net](seed), strategy, len(names), None, seed), strategy, recipe,
        parts["train"], parts["test"], None,
        augment=Augment.from_dict({"flip": {"p": 0.5}}, 32, **look),
        preprocess=Preprocess(32, 32, **look), cache=cache, world=Stale(staleness),
    )  # fmt: skip
    return fitted.history[-1]["val_accuracy"], len(parts["test"].targets)


def small(seed: int) -> Any:
    from darter.transfer import small_net

    return small_net(32, seed)


NETS = {"small": small, "two-blocks": two_blocks}


def main() -> None:
    from darter.dataset import PictureCache

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="pictures in train/ and test/, a folder per class")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--pictures", type=int, default=1 << 30, help="of each split, at most")
    parser.add_argument("--net", choices=list(NETS), default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/results/staleness.jsonl"))
    given = parser.parse_args()
    cache = PictureCache()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    how = {"net": given.net, "epochs": given.epochs, "pictures": given.pictures}
    runs = [run for run in kept(given.out) if how.items() <= run.items()]
    done = {(run["seed"], run["staleness"]): run for run in runs}
    for seed, staleness in product(range(given.seeds), STALENESS):
        if (seed, staleness) not in done:
            try:
                share, judged = accuracy(
                    given.data, staleness, given.epochs, given.pictures, seed, cache, given.net
                )
            except DarterError as error:
                parser.error(str(error))
            run = {**how, "seed": seed, "staleness": staleness, "accuracy": share, "test": judged}
            done[seed, staleness] = run
            with given.out.open("a") as file:
                file.write(json.dumps(run) + "\n")
        share = done[seed, staleness]["accuracy"]
        print(f"seed {seed}, staleness {staleness}: {share:.1%}", flush=True)
    rows = table([done[key] for key in product(range(given.seeds), STALENESS)])
    print("\nstaleness  accuracy  (± standard error of its pictures)  against 0, in points")
    for row in rows:
        share, error = 100 * row["accuracy"], 100 * row["standard_error"]
        lost, its_error = 100 * row["difference"], 100 * row["difference_error"]
        against = f"{lost:+.1f} ± {its_error:.1f}" if row["staleness"] else ""
        print(f"{row['staleness']:9}  {share:7.1f}%  (± {error:.1f}){'':27}{against}".rstrip())
    draw(rows, given.out.with_suffix(".png"))


def kept(file: Path) -> list[dict[str, Any]]:
    """Trainings that have ended."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(runs: list[dict[str, Any]]) -> list[dict[str, float]]:
    """A row for each staleness, over the seeds; differences are from staleness 0."""
    rows: list[dict[str, float]] = []
    for staleness in STALENESS:
        of_it = [run for run in runs if run["staleness"] == staleness]
        share = float(np.mean([run["accuracy"] for run in of_it]))
        error = (share * (1 - share) / sum(run["test"] for run in of_it)) ** 0.5
        first = rows[0] if rows else {"accuracy": share, "standard_error": error}
        rows.append({
            "staleness": staleness, "accuracy": share, "standard_error": error,
            "difference": share - first["accuracy"],
            "difference_error": float(np.hypot(error, first["standard_error"])),
        })  # fmt: skip
    return rows


def draw(rows: list[dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.errorbar(
        [row["staleness"] for row in rows], [100 * row["accuracy"] for row in rows],
        yerr=[100 * row["standard_error"] for row in rows], marker="o", capsize=3,
    )  # fmt: skip
    axes.set_xlabel("staleness (updates)")
    axes.set_ylabel("accuracy (%)")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()
