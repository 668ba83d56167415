"""The modules of Inception-v3: branches of small filters, joined along the channels.

Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
arXiv:1512.00567, figures 5 to 7 and 10; widths as in the published net.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from darter.arrange.blocks import convolution


class Branches(nn.Module):
    """Runs every branch on the same input and joins their channels."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _pooled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), convolution(inputs, outputs, 1))


def inception_a(inputs: int, pooled: int) -> Branches:
    """5×5 beside two 3×3 (figure 5) -> 224 + pooled channels."""
    five = nn.Sequential(convolution(inputs, 48, 1), convolution(48, 64, 5))
    threes = nn.Sequential(
        convolution(inputs, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3)
    )
    return Branches([convolution(inputs, 64, 1), five, threes, _pooled(inputs, pooled)])


def inception_b(inputs: int) -> Branches:
    """Halves H and W (figure 10) -> 480 channels and those of the input."""
    threes = nn.Sequential(
        convolution(inputs, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3, 2, 0)
    )
    return Branches([convolution(inputs, 384, 3, 2, 0), threes, nn.MaxPool2d(3, 2)])


def inception_c(inputs: int, width: int) -> Branches:
    """7×7 as 1×7 and 7×1, once and twice (figure 6) -> 768 channels.

    width: of the layers within the branches.
    """
    once = nn.Sequential(
        convolution(inputs, width, 1),
        convolution(width, width, (1, 7)),
        convolution(width, 192, (7, 1)),
    )
    twice = nn.Sequential(
        convolution(inputs, width, 1),
        convolution(width, width, (7, 1)),
        convolution(width, width, (1, 7)),
        convolution(width, width, (7, 1)),
        convolution(width, 192, (1, 7)),
    )
    return Branches([convolution(inputs, 192, 1), once, twice, _pooled(inputs, 192)])


def inception_d(inputs: int) -> Branches:
    """Halves H and W -> 512 channels and those of the input."""
    plain = nn.Sequential(convolution(inputs, 192, 1), convolution(192, 320, 3, 2, 0))
    sevens = nn.Sequential(
        convolution(inputs, 192, 1),
        convolution(192, 192, (1, 7)),
        convolution(192, 192, (7, 1)),
        convolution(192, 192, 3, 2, 0),
    )
    return Branches([plain, sevens, nn.MaxPool2d(3, 2)])


def inception_e(inputs: int) -> Branches:
    """1×3 beside 3×1 instead of 3×3, for small maps (figure 7) -> 2048 channels."""
    once = nn.Sequential(convolution(inputs, 384, 1), _both(384))
    twice = nn.Sequential(convolution(inputs, 448, 1), convolution(448, 384, 3), _both(384))
    return Branches([convolution(inputs, 320, 1), once, twice, _pooled(inputs, 192)])


def _both(channels: int) -> Branches:
    return Branches(
        [convolution(channels, channels, (1, 3)), convolution(channels, channels, (3, 1))]
    )
