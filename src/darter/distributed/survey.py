"""What processes or machines would reach together: steps and links measured, schemes forecast."""

import socket
import time
from dataclasses import dataclass

import torch

from darter.distributed.forecast import FORECASTS, Measured, choose, rounds
from darter.distributed.rays import RayCrew
from darter.train import choose_device, computing
from darter.transfer import Classifier, prepare, strategies, train_mode, zoo

CLASSES = 10
REPEATS = 3


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
    forecasts: scheme -> pictures per second.   choice, why: what "auto" would take."""

    steps: tuple[tuple[str, float], ...]
    measured: Measured
    forecasts: dict[str, float]
    rounds: int
    choice: str
    why: str


def survey(work: Work, workers: int | None, address: str | None) -> Survey:
    """Measure each process's training step and the links between them."""
    crew = RayCrew(workers, address)
    try:
        count = crew.wanted + 1
        whole, size = step_seconds(work, "auto")
        steps = [(socket.gethostname(), step_seconds(work, crew.threads())[0])]
        steps += crew.time_steps(work)
        latency, bandwidth = crew.measure_links()
    finally:
        crew.close()
    slowest = max(seconds for _, seconds in steps)
    measured = Measured(slowest, work.batch, size, latency, bandwidth, alone=whole)
    choice, why = choose(measured, count)
    forecasts = {name: forecast(measured, count) for name, forecast in FORECASTS.items()}
    return Survey(tuple(steps), measured, forecasts, rounds(measured, count), choice, why)


def step_seconds(work: Work, threads: int | str) -> tuple[float, int]:
    """(seconds of a training step here, bytes of what it changes); the best of a few."""
    device, strategy = choose_device("auto"), strategies.get(work.strategy)
    with computing(device, threads):
        model = Classifier(zoo.load(work.backbone), CLASSES).to(device)
        prepare(model, strategy)
        train_mode(model, strategy)
        images = torch.randn(work.batch, 3, work.size, work.size, device=device)
        best = float("inf")
        for _ in range(REPEATS + 1):
            model.zero_grad()
            started = time.perf_counter()
            model(images).logsumexp(1).sum().backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - started)
        learning = [p for p in model.parameters() if p.requires_grad]
        return best, sum(4 * p.numel() for p in learning)
