"""Where a unit's answer really depends on the picture: the effective receptive field.

Source: Luo, Li, Urtasun & Zemel, "Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks", NIPS 2016 (arXiv:1701.04128).
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from darter.arrange.module import GraphModule
from darter.net import Graph

DRAWS = 4  # of random signs for the channels: gradients of one channel may cancel another's


def effective_fields(
    graph: Graph, picture: NDArray[np.float32], names: Iterable[str], *, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """How much each pixel moves the unit in the middle of some tensors.

    picture: preprocessed, (C, H, W).   names: of tensors (N, C', H', W') of the graph.
    Returns name -> float32 (H, W): the mean over channels of |gradient|, its largest value 1.
    Raises UnsupportedError where an operation has no gradient.
    """
    module = GraphModule(graph)
    module.requires_grad_(False)
    x = torch.from_numpy(np.ascontiguousarray(picture[None], np.float32)).requires_grad_()
    kept: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    module.run((x,), kept)
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, (value,) in kept.items():
        _, channels, height, width = value.shape
        units = value[0, :, height // 2, width // 2]
        total = torch.zeros(x.shape[2:])
        for _ in range(DRAWS):
            signs = torch.randint(0, 2, (channels,), generator=random) * 2.0 - 1
            (gradient,) = torch.autograd.grad(units @ signs, x, retain_graph=True)
            total += gradient[0].abs().mean(0)
        found[name] = (total / total.max().clamp_min(1e-30)).numpy()
    return found
