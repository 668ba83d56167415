"""Where a net is cut for a pipeline, and what passes there."""

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from darter.errors import UnsupportedError
from darter.transfer import TransferModel

PER_STAGE = 2  # parts of a batch for each process, at least: fewer leave processes idle


def parts_of(batch: int, size: int) -> int:
    """Into how many equal parts a batch is cut for `size` processes."""
    good = [n for n in range(1, batch + 1) if batch % n == 0]
    return next((n for n in good if n >= PER_STAGE * size), good[-1])


def balanced(seconds: list[float], parts: int) -> list[int]:
    """Where to cut a row of blocks into parts whose longest takes the least time.

    Returns the first block of each part but the first.
    """

    def longest(cut: Iterable[int]) -> float:
        edges = (0, *cut, len(seconds))
        return max(sum(seconds[a:b]) for a, b in itertools.pairwise(edges))

    cuts = itertools.combinations(range(1, len(seconds)), parts - 1)
    return list(min(cuts, key=longest))


def choose_cut(model: TransferModel, example: Tensor, size: int) -> list[str]:
    """Modules at which the next process's part begins, by the measured time of each block."""
    taps = [b.tap for b in model.backbone.blocks if b.tap is not None]
    if len(taps) < size:
        raise UnsupportedError(
            f"a pipeline of {size} processes needs as many blocks, "
            f"{model.backbone.name} has {len(taps)}"
        )
    seconds = block_seconds(model, [f"net.{tap}" for tap in taps], example)
    # The first tap may be inside the stem and the last in the head: cuts are between blocks.
    return [f"net.{taps[k]}" for k in balanced(seconds, size)]


def bytes_passed(model: TransferModel, example: Tensor, size: int) -> int:
    """What a part of a batch is at the cut where it is largest. example: that part's pictures."""
    found = []
    hooks = [
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, given: found.append(given[0].numel() * given[0].element_size())
        )
        for name in choose_cut(model, example, size)
    ]
    try:
        with evaluating(model):
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return max(found)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while, so that a look at the net leaves its statistics as they are."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def block_seconds(model: nn.Module, taps: list[str], images: Tensor) -> list[float]:
    """Seconds from the end of one block to the end of the next, forward, the best of three."""
    ends: list[float] = []

    def note(*_: Any) -> None:
        ends.append(time.perf_counter())

    hooks = [model.get_submodule(tap).register_forward_hook(note) for tap in taps]
    best = [float("inf")] * len(taps)
    for _ in range(3):
        ends[:] = [time.perf_counter()]
        with evaluating(model):
            model(images)
        steps = [b - a for a, b in itertools.pairwise(ends)]
        best = [min(a, b) for a, b in zip(best, steps, strict=True)]
    for hook in hooks:
        hook.remove()
    return best
