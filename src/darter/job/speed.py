"""How fast and how large a finished model is, on this machine."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darter.machine import available_cpus
from darter.model import Runs, in_turns, load, read_info

BATCHES = (1, 8)
SECONDS = 1.0  # of timing for each batch size


def measure_speed(
    path: Path, model: nn.Module, session: Runs | None = None, *, before: Path | None = None
) -> dict[str, Any]:
    """The record speed.json: milliseconds per batch, threads, file size, weights, multiply-adds.

    precision: that it runs in here.
    milliseconds: of `Session.run`, without decoding, {"batch_1": {"min", "median", "max"}, …}; all
    batch sizes in turns, and in turns with `before` where that is given: the file that this one
    was made of, whose times are recorded as well.
    multiply_adds: of one picture; one is two floating-point operations.
    """
    session = session or load(path)
    sides = read_info(path).preprocess.sides
    runs = {("milliseconds", n): _run(session, n, sides) for n in BATCHES}
    if before is not None:
        first, its = load(before), read_info(before).preprocess.sides
        runs |= {("milliseconds_before", n): _run(first, n, its) for n in BATCHES}
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for (record, n), taken in in_turns(runs, seconds=SECONDS, warm=True).items():
        figures.setdefault(record, {})[f"batch_{n}"] = _summary(taken)
    return {
        **figures,
        "threads": available_cpus(),
        "runtime": f"{session.runtime} {version(session.runtime)}",
        "precision": session.precision,
        "file_megabytes": round(path.stat().st_size / 1e6, 2),
        "weights": sum(p.numel() for p in model.parameters()),
        "multiply_adds": multiply_adds(model, sides),
    }


def _run(session: Runs, batch: int, sides: tuple[int, int]) -> Callable[[], object]:
    return partial(session.run, np.zeros((batch, 3, *sides), np.float32))


def _summary(times: list[float]) -> dict[str, float]:
    figures = {"min": min(times), "median": float(np.median(times)), "max": max(times)}
    return {name: round(value, 4) for name, value in figures.items()}


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
