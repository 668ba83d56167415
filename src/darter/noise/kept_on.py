"""A PyTorch module that answers with its noise on, draw by draw the same."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darter.errors import OptionError
from darter.noise.insert import DROPCONNECT, DROPOUT, noise_modules

KINDS = {"dropout": DROPOUT, "dropconnect": DROPCONNECT}


@contextmanager
def sampling(
    model: nn.Module, kinds: Sequence[str], *, gaussian: bool = False, seed: int = 0
) -> Iterator[None]:
    """Within the block, layers of these kinds ("dropout", "dropconnect") drop, and nothing else
    is in training mode: batch norms keep their statistics. torch's own random state is kept.

    gaussian: DropConnect draws pre-activations instead of masks.
    Raises OptionError where the model has no such layer that would drop anything.
    """
    layers = {kind: _layers(model, kind) for kind in kinds}
    for kind, found in layers.items():
        if not found:
            raise OptionError(f"{kind}: this net has no layer that drops anything")
    chosen = [module for found in layers.values() for module in found]
    modes = {module: module.training for module in model.modules()}
    hooked = {module: module.training for module in noise_modules(model)}
    ways = {m: m.gaussian for m in chosen if isinstance(m, DROPCONNECT)}
    model.eval()
    for module in hooked:
        module.eval()
    for module in chosen:
        module.train()
    for layer in ways:
        layer.gaussian = gaussian or ways[layer]
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        for layer, way in ways.items():
            layer.gaussian = way
        for module, mode in (modes | hooked).items():
            module.training = mode


def _layers(model: nn.Module, kind: str) -> list[nn.Module]:
    return [m for m in noise_modules(model) if isinstance(m, KINDS[kind]) and m.p > 0]


@torch.no_grad()
def run_module(model: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (N, classes), computed where the model's weights are, in float32."""
    weight = next(model.parameters())
    found = model(torch.from_numpy(np.ascontiguousarray(images)).to(weight.device))
    return found.float().cpu().numpy()
