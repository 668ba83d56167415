"""Is noise worth it? Training noise and averaging, each with its gain, interval and cost.

    python bench/noise.py scratch cifar10_small    from scratch: dropout, DropConnect, views, 3 nets
    python bench/noise.py views ants_and_bees      the 50 views, default backbone, cross-validated
    python bench/noise.py foreign ants_and_bees/train ants_and_bees/val cifar10_small/test captions/

A gain is of answers to the same pictures (paired bootstrap, 95%). Milliseconds are per picture, of
the net alone, and mean something only on a quiet machine. Rows go to bench/results/noise.jsonl.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from darter.dataset import find_samples, folds
from darter.files import user_cache
from darter.model import get_task, mean_logits, softmax
from darter.noise import Ensemble, Novelty, fit_novelty, marginal, marginalize, worth_it
from darter.picture import Augment, Preprocess, decode, views_for
from darter.report import table
from darter.train import Examples, Recipe, fit, start_model
from darter.transfer import STRATEGIES, features, fit_probe, small_net, zoo
from darter.transfer.extract import engine_extractor

RESULTS = Path(__file__).parent / "results" / "noise.jsonl"
HALF = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
CLASSIFY = get_task("classify")


def examples(folder, most=None, seed=0):
    """Pictures of folders named by class, `most` of them at random."""
    samples = list(find_samples(str(folder)).samples)
    if most is not None:
        order = np.random.default_rng(seed).permutation(len(samples))[:most]
        samples = [samples[k] for k in sorted(order)]
    classes = sorted({s.labels[0] for s in samples})
    labels = np.array([classes.index(s.labels[0]) for s in samples], np.int64)
    return Examples([s.path for s in samples], labels), classes


def show(title, found, **about):
    """Print a table of `worth_it`, and keep its rows."""
    rows = [
        {
            "way to answer": row.name,
            "right": f"{100 * row.score:.1f}%",
            "gain, points": "" if row.gain is None else f"{100 * row.gain:+.1f}",
            "95% interval": ""
            if row.interval is None
            else f"{100 * row.interval[0]:+.1f} to {100 * row.interval[1]:+.1f}",
            "McNemar p": "" if row.p_value is None else f"{row.p_value:.2g}",
            "log loss": f"{row.loss:.3f}",
            "ms": row.milliseconds and f"{row.milliseconds:.2f}",
            "": row.verdict,
        }
        for row in found.rows
    ]
    print(table(rows, title=f"{title}: {found.pictures} pictures"))
    print(f"kept: {found.kept} ({found.why})\n", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps({"title": title, **about, **found.to_json()}) + "\n")


def timed(run, pictures):
    """What it gives, and milliseconds per picture."""
    started = time.perf_counter()
    found = run()
    return found, 1e3 * (time.perf_counter() - started) / pictures


def scratch(options):
    """Small nets from scratch: each source of noise alone and together.

    One thread: two that wait for each other on a busy machine take five times the processor time.
    """
    torch.set_num_threads(1)
    train, classes = examples(options.folder / "train", options.train)
    test, _ = examples(options.folder / "test", options.test)
    preprocess = Preprocess(32, 32, **HALF)
    augment = Augment.default(32, "small", **HALF)
    strategy = STRATEGIES["scratch"]

    def net(seed, **noise):
        recipe = Recipe(
            epochs=options.epochs, learning_rate=3e-3, patience=0, seed=seed, precision="float32",
            threads=1, **noise,
        )  # fmt: skip
        model = start_model(small_net(32, seed), strategy, len(classes), None, seed)
        nobody = Examples((), np.zeros(0, np.int64))
        started = time.process_time()
        fitted = fit(
            model, strategy, recipe, train, nobody, None, augment=augment, preprocess=preprocess
        )
        spent = time.process_time() - started
        print(f"trained {noise}, seed {seed}: {spent:.0f} s of processor time", flush=True)
        return fitted.model

    plain = [net(seed, dropout=0.0) for seed in range(3)]
    others = {"dropout": net(0, dropout=0.3), "dropconnect": net(0, dropconnect=0.3, dropout=0.0)}
    others["spatial dropout"] = net(0, dropout=0.0, spatial_dropout=0.05)

    def answer(model, over=()):
        return timed(
            lambda: marginalize(model, test.pictures, over, preprocess=preprocess).logits,
            len(test),
        )

    first, cost = answer(plain[0])
    ways = {name: answer(model) for name, model in others.items()}
    ways["dropout, sampled 16 times"] = answer(others["dropout"], ["dropout:16"])
    ways["dropconnect, sampled 16 times"] = answer(others["dropconnect"], ["dropconnect:16"])
    ways["dropconnect, its Gaussian 16 times"] = answer(
        others["dropconnect"], ["dropconnect-gaussian:16"]
    )
    ways["flip"] = answer(plain[0], ["flip"])
    ways["views:10x1"] = answer(plain[0], ["views:10x1"])
    ways["views:10x5"] = answer(plain[0], ["views:10x5"])
    ways["ensemble of 3"] = answer(Ensemble(plain).eval())
    ways["ensemble of 3, flip"] = answer(plain, ["models", "flip"])
    ways["ensemble of 3, views:10x1"] = answer(plain, ["models", "views:10x1"])
    ways["ensemble of 3, views:10x5"] = answer(plain, ["models", "views:10x5"])
    mixed = list(others.values())
    ways["one net of each noise"] = answer(Ensemble(mixed).eval())
    ways["one net of each noise, views:10x5"] = answer(mixed, ["models", "views:10x5"])
    found = worth_it(
        CLASSIFY,
        test.targets,
        first,
        {name: logits for name, (logits, _) in ways.items()},
        milliseconds={"one net, one look": cost} | {name: ms for name, (_, ms) in ways.items()},
        name="one net, one look",
    )
    show("scratch nets on cifar10_small", found, train=len(train), epochs=options.epochs)


def views(options):
    """The 50 views in front of a linear probe on the default backbone, every picture held out."""
    every, classes = examples(options.folder, options.most)
    backbone = zoo.load()
    preprocess = backbone.preprocess()
    look = views_for(preprocess)
    run = engine_extractor(backbone, preprocess.side, 50)
    plain = features(backbone, every.pictures, preprocess, cache_dir=user_cache("features")).last
    seen = np.zeros((len(every), 50, plain.shape[1]), np.float32)
    started, net = time.perf_counter(), 0.0
    for number, path in enumerate(every.pictures):
        images = look(decode(path, min_side=look.min_side).pixels)
        began = time.perf_counter()
        seen[number] = run(images)[:, -plain.shape[1] :]
        net += time.perf_counter() - began
    print(f"50 views of {len(every)} pictures: {time.perf_counter() - started:.0f} s")
    one, each = np.zeros((len(every), len(classes))), np.zeros((50, len(every), len(classes)))
    for learned, held in folds(every.targets, np.arange(len(every)), 5, 0):
        probe = fit_probe(plain[learned], every.targets[learned], len(classes))
        one[held] = probe.logits(plain[held])
        for number in range(50):
            each[number, held] = probe.logits(seen[held, number])
    cost = 1e3 * net / len(every) / 50
    parts = {"views:10x1": slice(10, 20), "views:10x3": slice(0, 30), "views:10x5": slice(0, 50)}
    found = worth_it(
        CLASSIFY,
        every.targets,
        one,
        {name: mean_logits(CLASSIFY, each[part]) for name, part in parts.items()},
        milliseconds={"one look": cost} | {n: cost * (p.stop - p.start) for n, p in parts.items()},
    )
    show(f"50 views on {backbone.name}", found, folder=options.folder.name)
    doubt = marginal(each).mutual_information
    wrong = mean_logits(CLASSIFY, each).argmax(axis=1) != every.targets
    print(f"mutual information over views: right {doubt[~wrong].mean():.3f}, "
          f"wrong {doubt[wrong].mean():.3f} nats\n")  # fmt: skip


def foreign(options):
    """Strangers that are answered where 95% of the model's own test pictures are."""
    backbone = zoo.load()
    preprocess, cache = backbone.preprocess(), user_cache("features")

    def rows(pictures):
        return features(backbone, pictures, preprocess, cache_dir=cache).last

    train, classes = examples(options.train_folder)
    test, _ = examples(options.test_folder)
    learned, own = rows(train.pictures), rows(test.pictures)
    probe = fit_probe(learned, train.targets, len(classes))
    novelty = Novelty(fit_novelty(learned, train.targets))
    temperature = CLASSIFY.calibrate(probe.logits(own), test.targets).temperature
    ways = {
        "confidence": lambda x: softmax(probe.logits(x), temperature).max(axis=1),
        "feature distance": lambda x: -novelty(torch.from_numpy(x)).numpy(),
    }
    found = []
    for folder in options.strangers:
        pictures = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".png"})
        chosen = np.random.default_rng(0).permutation(len(pictures))[: options.most]
        strange = rows([pictures[k] for k in chosen])
        row = {"strangers": str(folder.name), "pictures": len(strange)}
        for name, familiar in ways.items():
            limit = np.quantile(familiar(own), 0.05)
            share = (familiar(strange)[:, None] > familiar(own)[None]).mean()
            row[f"answered by {name}"] = f"{(familiar(strange) >= limit).mean():.1%}"
            row[f"AUROC of {name}"] = f"{1 - share:.3f}"
        found.append(row)
    print(table(found, title=f"95% of {len(own)} own test pictures are answered"))
    with RESULTS.open("a") as file:
        file.writelines(json.dumps({"title": "foreign", **row}) + "\n" for row in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("scratch")
    one.add_argument("folder", type=Path)
    one.add_argument("--train", type=int, default=4000)
    one.add_argument("--test", type=int, default=1500)
    one.add_argument("--epochs", type=int, default=14)
    one.set_defaults(run=scratch)
    two = commands.add_parser("views")
    two.add_argument("folder", type=Path)
    two.add_argument("--most", type=int, default=1000)
    two.set_defaults(run=views)
    three = commands.add_parser("foreign")
    three.add_argument("train_folder", type=Path)
    three.add_argument("test_folder", type=Path)
    three.add_argument("strangers", type=Path, nargs="+")
    three.add_argument("--most", type=int, default=800)
    three.set_defaults(run=foreign)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
