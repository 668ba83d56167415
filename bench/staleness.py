"""What stale gradients cost: accuracy after the same pictures, by how old the gradients are.

    python -m bench.staleness cifar10_small/ --epochs 6
    python -m bench.staleness cifar10_small/ --epochs 6 --pictures 2000   # of each split, at most
    python -m bench.staleness cifar10_small/ --epochs 12 --net two-blocks --seeds 2   # minutes

A small net is trained from scratch through darter's own parameter server, as by workers that are
equally fast and push in turn: each gradient is of weights from before the pushes of all others, so
that its staleness is one less than there are workers. Staleness 0 is synchronous training, which
darter divides among any number of workers without another result. Ways to share (--ways):

    parts     a push is of a part of a batch, as with `--parallel async`
    batches   a push is of a whole batch, and an update (Downpour as published)
    joint     synchronous again, of as many whole batches: fewer updates, no staleness; the rate is
              multiplied by the square root of their number (Malladi et al., arXiv:2205.10287)

Prints tables and draws a picture. Every training has a line in --out as soon as it has ended; the
same command goes on where it was stopped.
"""

import argparse
import json
from collections import deque
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darter.distributed.downpour import alone, clip
from darter.distributed.servers import Group, Part, Server, arrays
from darter.distributed.shares import parts_for
from darter.distributed.statistics import shares_replaced
from darter.errors import DarterError
from darter.train import Outcome, Step

STALENESS = (0, 1, 2, 4, 8, 16)  # pushes
SYNC = "synchronous"
MEANS = {
    "parts": "a push is of a part of a batch",
    "batches": "a push is of a whole batch, and an update",
    "joint": "no staleness; an update is of as many whole batches as there are workers",
}
BATCH, RATE = 32, 2e-3


class StaleStep(Step):
    """A step whose gradients are of the weights of `staleness` pushes ago.

    parts: of a batch, each of which is a push.
    """

    def begin(self, staleness: int, parts: int, limit: int, version: int = 0) -> None:
        self.parts, self.pushed = parts, version
        parameters = {p: n for n, p in self.model.named_parameters()}
        groups = tuple(
            Group(tuple(parameters[p] for p in g["params"]), g["peak"], g["weight_decay"])
            for g in self.optimizer.param_groups
        )
        known = {n for g in groups for n in g.names}
        statistics = [n for n in self.learned if n not in known]
        self.replaced = shares_replaced(self.model, statistics, self.recipe.accumulate)
        self.server = Server(
            Part(groups, self.replaced), self.recipe, staleness / parts, most_stale=staleness
        )
        learned = arrays(self.learned)
        self.server.load({"learned": learned, "optimizer": {}, "updates": 0}, version, limit)
        self.past: deque[tuple[int, dict[str, Any]]] = deque(maxlen=staleness + 1)

    def __call__(self, group: Any, number: int, steps: int) -> Any:
        done = [self._push(part, number, steps) for part in self._cut(group)]
        self._take(self.server.pull()[1])
        pictures = sum(each.pictures for each in done)
        loss = sum(each.loss * each.pictures for each in done) / pictures
        return Outcome(loss, sum(each.correct for each in done), pictures)

    def _cut(self, group: Any) -> list[Any]:
        """The step's batches by parts, as `darter.distributed.shares.parts_in_turn`."""
        return [
            [
                replace(b, images=b.images[k :: self.parts], targets=b.targets[k :: self.parts],
                        indices=b.indices[k :: self.parts])
                for b in group
            ]
            for k in range(self.parts)
        ]  # fmt: skip

    def _push(self, group: Any, number: int, steps: int) -> Outcome:
        self.past.append(self.server.pull())
        self.pushed, old = self.past[0]
        self._take(old)
        self.before = {n: self.learned[n].clone() for n in self.replaced}
        self.own = self.pictures(group)
        return super().__call__(group, number, steps)

    def _take(self, weights: dict[str, Any]) -> None:
        with torch.no_grad():
            for name, value in weights.items():
                self.learned[name].copy_(torch.tensor(value))

    def update(self) -> None:
        parameters = dict(self.model.named_parameters())
        learning = [p for n, p in parameters.items() if n in self.learned]
        clip(learning, self.recipe.clip_gradient, 1 / self.parts)
        values = alone(self.before, self.learned, self.replaced)
        for name, parameter in parameters.items():
            if name in self.learned and parameter.grad is not None:
                values[name] = parameter.grad.numpy(force=True)
        self.server.push(self.pushed, values, (0.0, 0.0, self.own))


class Stale:
    """A world of one process in which gradients are old."""

    fits_one = True

    def __init__(self, staleness: int, way: str) -> None:
        self.staleness = staleness
        self.parts = parts_for(BATCH, staleness + 1) if way == "parts" else 1

    def threads(self, recipe: Any) -> Any:
        return recipe.threads

    def expected(self, _task: Any, speed: Any) -> Any:
        return speed

    def begin(self, task: Any, plan: Any) -> Any:
        step = StaleStep(
            task.model, task.strategy, task.recipe, task.loss(plan.class_balance), task.device,
            precision=plan.precision, learning_rate=plan.learning_rate,
        )  # fmt: skip
        step.begin(self.staleness, self.parts, plan.steps)
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
    data: str, way: str, staleness: int, epochs: int, pictures: int, seed: int, cache: Any,
    net: str,
) -> dict[str, float]:  # fmt: skip
    """Share of test pictures that are right, how many there are, and their mean loss."""
    from darter.dataset import find_samples
    from darter.picture import Augment, Preprocess
    from darter.train import Examples, Recipe, fit, start_model
    from darter.transfer import strategies

    listing = find_samples(data)
    names = list(listing.classes)
    look = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    splits = {}
    for split in ("train", "test"):
        samples = [s for s in listing.samples if s.split == split]
        samples = samples[:: max(1, len(samples) // pictures)]  # evenly from all classes
        labels = np.array([names.index(s.label) for s in samples], np.int64)
        splits[split] = Examples([s.path for s in samples], labels)
    workers = staleness + 1 if way == "joint" else 1
    recipe = Recipe(
        epochs=epochs, batch_size=BATCH * workers, learning_rate=RATE * workers**0.5,
        precision="float32", ema=0.0, patience=0, seed=seed, norm_statistics="updated",
    )  # fmt: skip
    strategy = strategies.get("scratch")
    fitted = fit(
        start_model(NETS[net](seed), strategy, len(names), None, seed), strategy, recipe,
        splits["train"], splits["test"], None,
        augment=Augment.from_dict({"flip": {"p": 0.5}}, 32, **look),
        preprocess=Preprocess(32, 32, **look), cache=cache,
        world=None if way == "joint" else Stale(staleness, way),
    )  # fmt: skip
    last = fitted.history[-1]
    test = len(splits["test"].targets)
    return {"accuracy": last["val_accuracy"], "loss": last["val_loss"], "test": test}


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
    parser.add_argument("--ways", nargs="+", choices=list(MEANS), default=["parts", "batches"])
    parser.add_argument("--staleness", nargs="+", type=int, default=list(STALENESS))
    parser.add_argument("--out", type=Path, default=Path("bench/results/staleness.jsonl"))
    given = parser.parse_args()
    cache = PictureCache()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    how = {"net": given.net, "epochs": given.epochs, "pictures": given.pictures}
    runs = [run for run in kept(given.out) if how.items() <= run.items()]
    done = {(run["way"], run["seed"], run["staleness"]): run for run in runs if "way" in run}
    late = [s for s in given.staleness if s]
    seeds = range(given.seeds)
    wanted = [(way, s) for way, s in product(given.ways, late)]
    for seed, (way, staleness) in product(seeds, [(SYNC, 0), *wanted]):
        if (way, seed, staleness) not in done:
            try:
                run = accuracy(
                    given.data, way, staleness, given.epochs, given.pictures, seed, cache, given.net
                )
            except DarterError as error:
                parser.error(str(error))
            run = {**how, "way": way, "seed": seed, "staleness": staleness, **run}
            done[way, seed, staleness] = run
            with given.out.open("a") as file:
                file.write(json.dumps(run) + "\n")
        run = done[way, seed, staleness]
        print(f"seed {seed}, {way} {staleness}: {run['accuracy']:.1%}, loss {run['loss']:.3f}",
              flush=True)  # fmt: skip
    curves = {}
    for way in given.ways:
        pairs = [(SYNC, 0), *((way, s) for s in late)]
        rows = table([[done[name, seed, s] for seed in seeds] for name, s in pairs])
        curves[way] = rows
        print(f"\n{way}: {MEANS[way]}")
        print("staleness  updates  accuracy  loss   against synchronous, in points")
        for row in rows:
            lost, error = 100 * row["difference"], 100 * row["difference_error"]
            against = f"{lost:+.1f} ± {error:.1f}" if row["staleness"] else ""
            print(f"{row['staleness']:9}  {updates(way, row['staleness']):7.2f}  "
                  f"{row['accuracy']:8.1%}  {row['loss']:.3f}  {against}".rstrip())  # fmt: skip
    draw(curves, given.out.with_suffix(".png"))


def updates(way: str, staleness: int) -> float:
    """Staleness in updates."""
    parts = {"parts": parts_for(BATCH, staleness + 1), "batches": 1}
    return staleness / parts[way] if way in parts else 0.0


def kept(file: Path) -> list[dict[str, Any]]:
    """Trainings that have ended."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each staleness, over the seeds; differences are from the first, which is 0.

    Their standard error is that of two samples of test pictures.
    """
    rows: list[dict[str, Any]] = []
    for of_it in runs:
        shares = np.array([run["accuracy"] for run in of_it])
        share, test = float(shares.mean()), sum(run["test"] for run in of_it)
        error = (share * (1 - share) / test) ** 0.5
        first = rows[0] if rows else {"accuracy": share, "standard_error": error}
        rows.append({
            "staleness": of_it[0]["staleness"], "accuracy": share, "standard_error": error,
            "loss": float(np.mean([run["loss"] for run in of_it])),
            "difference": share - first["accuracy"],
            "difference_error": float(np.hypot(error, first["standard_error"])),
        })  # fmt: skip
    return rows


def draw(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for way, rows in curves.items():
        axes.errorbar(
            [row["staleness"] for row in rows], [100 * row["accuracy"] for row in rows],
            yerr=[100 * row["standard_error"] for row in rows], marker="o", capsize=3, label=way,
        )  # fmt: skip
    axes.set_xlabel("staleness (pushes); workers less one")
    axes.set_ylabel("accuracy (%)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()
