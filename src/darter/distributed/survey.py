"""What processes or machines would reach together: steps and links measured, schemes forecast."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from darter.dataset import read_cold
from darter.distributed.cut import bytes_passed, parts_of
from darter.distributed.forecast import FORECASTS, Measured, choose, rounds
from darter.distributed.rays import RayCrew
from darter.errors import UnsupportedError
from darter.picture import read
from darter.train import choose_device, computing, move
from darter.transfer import Classifier, prepare, strategies, train_mode, zoo

CLASSES = 10
REPEATS = 3
LOOKED_AT = 128  # pictures that a process reads


@dataclass(frozen=True)
class Work:
    """A training step: what is trained, on pictures of `size` pixels, `batch` at a time."""

    backbone: str
    strategy: str
    size: int
    batch: int


@dataclass(frozen=True)
class Survey:
    """steps: (machine, seconds of a step) of each process, the first is this one.
    disks: pictures that each process reads per second, from its disk; empty without pictures.
    forecasts: scheme -> pictures per second.   choice, why: what "auto" would take."""

    steps: tuple[tuple[str, float], ...]
    disks: tuple[float, ...]
    measured: Measured
    forecasts: dict[str, float]
    rounds: int
    choice: str
    why: str


def survey(
    work: Work, workers: int | None, address: str | None, paths: Sequence[Path] = ()
) -> Survey:
    """Measure each process's training step and disk, and the links between them.

    paths: pictures, of which each process reads others.
    """
    crew = RayCrew(workers, address)
    try:
        count = crew.wanted + 1
        whole, size = step_seconds(work, "auto")
        steps = [(socket.gethostname(), step_seconds(work, crew.threads())[0])]
        steps += crew.time_steps(work)
        part, passed = part_of_pipeline(work, crew.threads(), count)
        shares = [list(paths[k::count][:LOOKED_AT]) for k in range(count)]
        disks = []
        if all(shares):
            disks = [read_speed(shares[0]), *crew.time_disks(shares[1:])]
        latency, bandwidth = crew.measure_links()
    finally:
        crew.close()
    slowest = max(seconds for _, seconds in steps)
    activations = passed * parts_of(work.batch, count)
    measured = Measured(
        slowest, work.batch, size, latency, bandwidth,
        activations=activations, alone=whole, part=part * slowest / steps[0][1],
    )  # fmt: skip
    choice, why = choose(measured, count)
    forecasts = {name: forecast(measured, count) for name, forecast in FORECASTS.items()}
    if not part:
        del forecasts["pipeline"]
    return Survey(
        tuple(steps), tuple(disks), measured, forecasts, rounds(measured, count), choice, why
    )


def read_speed(paths: Sequence[Path]) -> float:
    """Files per second from the disk, one after the other."""
    cold = read_cold(read)
    started = time.perf_counter()
    for path in paths:
        cold(path)
    return len(paths) / (time.perf_counter() - started)


def step_seconds(work: Work, threads: int | str) -> tuple[float, int]:
    """(seconds of a training step here, bytes of what it changes); the best of a few."""
    with _training(work, threads) as (model, images):
        learning = [p for p in model.parameters() if p.requires_grad]
        return _seconds(model, images), sum(4 * p.numel() for p in learning)


def part_of_pipeline(work: Work, threads: int | str, count: int) -> tuple[float, int]:
    """(seconds of this process for one part of a batch in a pipeline of `count`, bytes that pass
    from process to process for it); zeros where the net has not that many blocks."""
    parts = parts_of(work.batch, count)
    with _training(replace(work, batch=work.batch // parts), threads) as (model, images):
        try:
            return _seconds(model, images), bytes_passed(model, images, count)
        except UnsupportedError:
            return 0.0, 0


@contextmanager
def _training(work: Work, threads: int | str) -> Iterator[tuple[Classifier, torch.Tensor]]:
    device, strategy = choose_device("auto"), strategies.get(work.strategy)
    with computing(device, threads):
        model = Classifier(zoo.load(work.backbone), CLASSES)
        move(model, device, True)
        prepare(model, strategy)
        train_mode(model, strategy)
        images = torch.randn(work.batch, 3, work.size, work.size, device=device)
        yield model, images.contiguous(memory_format=torch.channels_last)


def _seconds(model: Classifier, images: torch.Tensor) -> float:
    best = float("inf")
    for _ in range(REPEATS + 1):
        model.zero_grad()
        started = time.perf_counter()
        model(images).logsumexp(1).sum().backward()
        if images.is_cuda:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best
