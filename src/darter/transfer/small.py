"""A small net to train from scratch, for pictures that no pretrained net has seen the like of."""

import torch
from torch import Tensor, nn

from darter.transfer.backbone import Backbone
from darter.transfer.zoo import build

WIDTHS = (32, 64, 128, 256)
_LEAST_SIZE = 32  # input pixels
_LAST_SIDE = 4  # halving stops at maps of this side


class SmallNet(nn.Module):
    """Stages of a 3×3 and a 1×1 convolution, each with batch norm; the side halves between them.

    (N, 3, size, size) -> (N, 256). Pictures above 48 pixels are halved by the first convolution,
    above 96 twice, so that the cost stays small.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        stride = 1 if size <= 48 else 2 if size <= 96 else 4
        side = -(-size // stride)
        stages: list[nn.Module] = [_convolution(3, WIDTHS[0], 3, stride)]
        channels = WIDTHS[0]
        for width in WIDTHS:
            halve = side >= 2 * _LAST_SIDE
            stages.append(
                nn.Sequential(
                    _convolution(channels, width, 3, 2 if halve else 1),
                    _convolution(width, width, 3, 1),
                    _convolution(width, width, 1, 1),
                )
            )
            side = -(-side // 2) if halve else side
            channels = width
        self.features = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=(2, 3))


def small_size(picture_side: int, limit: int) -> int:
    """Input pixels that suit an untrained net: no more than the pictures have, a multiple of 8.

    picture_side: their usual short side. limit: the size that is used otherwise.
    """
    return min(limit, max(_LEAST_SIZE, -(-picture_side // 8) * 8))


def small_net(size: int, seed: int = 0) -> Backbone:
    """An untrained SmallNet as a backbone, for "scratch"; the seed draws its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SmallNet(size)
    half = (0.5, 0.5, 0.5)
    source = "random weights, nothing pretrained"
    return build("small", net, source, size=size, resize=size, mean=half, std=half)


def _convolution(inputs: int, outputs: int, side: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
