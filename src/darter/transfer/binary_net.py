"""A family of binary nets to train from scratch, for pictures of 28 to 224 pixels.

Residual blocks as in Bi-Real Net with ReActNet's activations: numbers between layers stay real, so
that little is lost; what is multiplied is +1 and -1. The first layer, the last, and the shortcuts
that halve the picture are real.
"""

import torch
from torch import Tensor, nn

from darter.precision import BinaryConv2d, RPReLU, RSign
from darter.transfer.backbone import Backbone
from darter.transfer.zoo import build

WIDTHS = (64, 128, 256, 512)
_LAST_SIDE = 4  # halving stops at maps of this side


class Block(nn.Module):
    """x -> rprelu(norm(conv3x3(rsign(x))) + shortcut(x)); without the signs where not binary."""

    def __init__(self, inputs: int, outputs: int, stride: int, binary: bool) -> None:
        super().__init__()
        self.sign: nn.Module = RSign(inputs) if binary else nn.Identity()
        self.conv: nn.Module = (
            BinaryConv2d(inputs, outputs, 3, stride, padding=1)
            if binary
            else nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        )
        self.norm = nn.BatchNorm2d(outputs)
        self.bend = RPReLU(outputs)
        parts: list[nn.Module] = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        if inputs != outputs:
            parts += [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.shortcut = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(self.norm(self.conv(self.sign(x))) + self.shortcut(x))


class BinaryNet(nn.Module):
    """(N, 3, size, size) -> (N, 512): a real 3×3 layer, then stages of two binary blocks each.

    Pictures above 48 pixels are halved by the first layer, above 96 twice.
    binary: False gives the same net with real weights and numbers, to compare.
    """

    def __init__(self, size: int, binary: bool = True, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        stride = 1 if size <= 48 else 2 if size <= 96 else 4
        side = -(-size // stride)
        stages: list[nn.Module] = [
            nn.Sequential(
                nn.Conv2d(3, widths[0], 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(widths[0]),
            )
        ]
        channels = widths[0]
        for number, width in enumerate(widths):
            halve = number > 0 and side >= 2 * _LAST_SIDE
            stages.append(
                nn.Sequential(
                    Block(channels, width, 2 if halve else 1, binary),
                    Block(width, width, 1, binary),
                )
            )
            side = -(-side // 2) if halve else side
            channels = width
        self.features = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=(2, 3))


def binary_net(size: int, seed: int = 0, *, binary: bool = True) -> Backbone:
    """An untrained BinaryNet as a backbone, for "binary"; the seed draws its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = BinaryNet(size, binary)
    half = (0.5, 0.5, 0.5)
    source = "random weights, nothing pretrained"
    name = "binary" if binary else "binary-family-float"
    return build(name, net, source, size=size, resize=size, mean=half, std=half)
