"""Batch norms' statistics computed anew, for weights that no training step has had."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

Norms = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def recompute_statistics(
    run: Callable[[Tensor], object], norms: Iterable[nn.Module], batches: Iterable[Tensor]
) -> int:
    """Give batch norms the mean and variance of their inputs over all batches; how many norms.

    run: the model, in evaluation mode otherwise.   norms: those to change; the others keep what
    they have. Batches weigh alike (torch's cumulative average), so they should be full ones.
    """
    chosen = [n for n in norms if isinstance(n, Norms) and n.track_running_stats]
    before = [(norm, norm.momentum, norm.training) for norm in chosen]
    try:
        for norm in chosen:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative
            norm.train()
        for images in batches:
            run(images)
    finally:
        for norm, momentum, training in before:
            norm.momentum = momentum
            norm.train(training)
    return len(chosen)
