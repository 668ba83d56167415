"""What a frozen backbone sees in every part of a picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.errors import OptionError
from darter.picture import Preprocess
from darter.transfer import Backbone

BATCH = 8


def last_grid(backbone: Backbone) -> str:
    """The module whose output is the last feature map of several positions.

    Raises OptionError for a net that has none.
    """
    named = [block.tap for block in backbone.blocks if block.tap is not None]
    if not named:
        raise OptionError(f"{backbone.name} has no feature map to look at; take another backbone")
    return named[-1]


def grid_of(net: nn.Module, tap: str, x: Tensor) -> Tensor:
    """(N, positions, channels) of the module `tap` when the net sees x."""
    caught: list[Tensor] = []
    handle = net.get_submodule(tap).register_forward_hook(lambda _m, _i, o: caught.append(o))
    try:
        net(x)
    finally:
        handle.remove()
    (grid,) = caught
    return grid.flatten(2).transpose(1, 2) if grid.dim() == 4 else grid


@torch.no_grad()
def grid_features(
    backbone: Backbone,
    pictures: Sequence[Path],
    preprocess: Preprocess,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float16]:
    """(N, positions, channels) of all pictures, half as long in memory as it was computed."""
    net, tap = backbone.net.eval(), last_grid(backbone)
    found = []
    for start in range(0, len(pictures), BATCH):
        images = torch.from_numpy(preprocess.batch(pictures[start : start + BATCH]))
        found.append(grid_of(net, tap, images).numpy().astype(np.float16))
        if progress:
            progress(min(start + BATCH, len(pictures)), len(pictures))
    return np.concatenate(found)
