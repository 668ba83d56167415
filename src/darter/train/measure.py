"""Time the real training step on this machine, on a copy, so that the run itself is untouched."""

import copy
import itertools
import time
from collections.abc import Callable
from functools import partial

import torch

from darter.train.device import casting, place, wait
from darter.train.loss import Loss
from darter.train.noisy import train_mode
from darter.train.plan import Speed
from darter.train.world import Batches
from darter.transfer import Strategy, TransferModel

REPEATS = 2  # timed steps, after one to warm up


def measure(
    model: TransferModel,
    strategy: Strategy,
    loss: Loss,
    train: Batches,
    val_pictures: int,
    precisions: tuple[str, ...],
    *,
    device: torch.device,
    accumulate: int,
    channels_last: bool,
) -> Speed:
    """Seconds of one optimizer step in each precision, of loading its pictures, of an evaluation.

    train: the training batches, of which the first few are loaded and used.
    """
    started = time.perf_counter()
    batches = list(itertools.islice(train.epoch(0), 1 + REPEATS))
    load = (time.perf_counter() - started) / len(batches)
    images = place(batches[0].images, device, channels_last)
    targets = loss.targets(torch.from_numpy(batches[0].targets).to(device))
    model = copy.deepcopy(model)

    def train_step(precision: str) -> None:
        model.zero_grad()
        with casting(device, precision):
            logits = model(images)
        loss(logits, targets).backward()

    @torch.no_grad()
    def evaluate(precision: str) -> None:
        with casting(device, precision):
            model(images)

    train_mode(model, strategy)
    steps = {p: accumulate * _seconds(partial(train_step, p), device) for p in precisions}
    model.eval()
    fastest = min(steps, key=lambda p: steps[p])
    per_picture = _seconds(lambda: evaluate(fastest), device) / len(images)
    return Speed(
        steps,
        load=accumulate * load,
        evaluate=val_pictures * (per_picture + load / len(images)),
        overlaps=device.type != "cpu",
    )


def _seconds(run: Callable[[], None], device: torch.device) -> float:
    """The best of REPEATS, after one to warm up."""
    run()
    best = float("inf")
    for _ in range(REPEATS):
        wait(device)
        started = time.perf_counter()
        run()
        wait(device)
        best = min(best, time.perf_counter() - started)
    return best
