"""How fast and how large a finished model is, on this machine."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darter.machine import available_cpus
from darter.model import Runs, Session, load, read_info

BATCHES = (1, 8)
SECONDS = 1.0  # of timing for each batch size
FEWEST_RUNS = 5


def measure_speed(path: Path, model: nn.Module, session: Runs | None = None) -> dict[str, Any]:
    """The record speed.json: milliseconds per batch, threads, file size, weights, multiply-adds.

    milliseconds: of `Session.run`, without decoding, {"batch_1": {"min", "median", "max"}, …}.
    multiply_adds: of one picture; one is two floating-point operations.
    """
    session = session or load(path)
    sides = read_info(path).preprocess.sides
    return {
        "milliseconds": {f"batch_{n}": _milliseconds(session, n, sides) for n in BATCHES},
        "threads": available_cpus(),
        "runtime": f"{session.runtime} {version(session.runtime)}",
        "file_megabytes": round(path.stat().st_size / 1e6, 2),
        "weights": sum(p.numel() for p in model.parameters()),
        "multiply_adds": multiply_adds(model, sides),
    }


def _milliseconds(session: Runs | Session, batch: int, sides: tuple[int, int]) -> dict[str, float]:
    images = np.zeros((batch, 3, *sides), np.float32)
    session.run(images)
    times: list[float] = []
    while len(times) < FEWEST_RUNS or sum(times) < SECONDS:
        started = time.perf_counter()
        session.run(images)
        times.append(time.perf_counter() - started)
    figures = {"min": min(times), "median": float(np.median(times)), "max": max(times)}
    return {name: round(1e3 * value, 3) for name, value in figures.items()}


@torch.no_grad()
def multiply_adds(model: nn.Module, size: int | tuple[int, int]) -> int:
    """Multiply-adds of the convolutions and linear layers for one picture: a side, or both."""
    sides = (size, size) if isinstance(size, int) else size
    total = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            per_output = module.weight[0].numel()
        else:
            assert isinstance(module, nn.Linear)
            per_output = module.in_features
        total += output.numel() * per_output

    counted = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [module.register_forward_hook(count) for module in counted]
    try:
        model(torch.zeros(1, 3, *sides))
    finally:
        for handle in handles:
            handle.remove()
    return total
