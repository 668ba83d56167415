"""Convolutions arranged well, as ordinary modules: small filters instead of large ones.

Each takes (N, C, H, W) and, at stride 1, keeps H and W. C channels in and out, weights of the
convolutions:

    stack(C, C, 5), stack(C, C, 7)   two or three 3×3: 18 C², 27 C² against 25 C², 49 C²
    Sandwich(C)                      1×1 to C/2, 3×3, 1×1 back to C: 3.25 C² against 9 C²
    separable(C, C, N)               1×N and N×1: 2 N C² against N² C²

Sources: Simonyan & Zisserman, arXiv:1409.1556 (stacks); He et al., arXiv:1512.03385 (sandwich);
Szegedy et al., arXiv:1512.00567 (1×N and N×1).
"""

from torch import Tensor, nn

from darter.errors import OptionError


def convolution(
    inputs: int,
    outputs: int,
    side: int | tuple[int, int],
    stride: int = 1,
    padding: int | tuple[int, int] | None = None,
    *,
    bend: bool = True,
) -> nn.Sequential:
    """A convolution, batch normalization and, with `bend`, a ReLU; padded to keep H and W."""
    sides = (side, side) if isinstance(side, int) else side
    around = (sides[0] // 2, sides[1] // 2) if padding is None else padding
    parts: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, sides, stride, around, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    ]
    return nn.Sequential(*parts, nn.ReLU(inplace=True)) if bend else nn.Sequential(*parts)


def stack(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Sequential:
    """As many 3×3 convolutions as see side × side pixels; the first has the stride.

    side: odd, 3 or more.
    """
    if side < 3 or side % 2 == 0:
        raise OptionError(f"stack: side must be odd, 3 or more, to be made of 3×3; got {side}")
    first = convolution(inputs, outputs, 3, stride)
    return nn.Sequential(first, *(convolution(outputs, outputs, 3) for _ in range(side // 2 - 1)))


def separable(inputs: int, outputs: int, side: int) -> nn.Sequential:
    """1×side, then side×1."""
    return nn.Sequential(
        convolution(inputs, outputs, (1, side)), convolution(outputs, outputs, (side, 1))
    )


class Sandwich(nn.Module):
    """x + (1×1 to half the channels, 3×3, 1×1 back), then a ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 2:
            raise OptionError(f"Sandwich: channels must be even, got {channels}")
        half = channels // 2
        self.layers = nn.Sequential(
            convolution(channels, half, 1),
            convolution(half, half, 3),
            convolution(half, channels, 1, bend=False),
        )
        self.bend = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(x + self.layers(x))
