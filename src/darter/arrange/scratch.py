"""A family of small nets for training from scratch on few pictures of 28 to 224 pixels."""

from torch import Tensor, nn

from darter.arrange.blocks import Sandwich, convolution
from darter.errors import OptionError

# name -> channels of each stage, sandwiches in each; bench/scratch_family.py prints their times
FAMILY: dict[str, tuple[tuple[int, ...], int]] = {
    "tiny": ((16, 32, 64, 128), 1),
    "small": ((32, 64, 128, 256), 1),
    "base": ((48, 96, 192, 384), 2),
}
LAST_SIDE = 4  # halving stops at maps of this side


class ScratchNet(nn.Module):
    """Stages of a 3×3 convolution and bottleneck sandwiches; the side halves between them.

    (N, 3, size, size) -> (N, width). Pictures above 48 pixels are halved by the first convolution,
    above 96 twice, so that the cost stays small.
    """

    def __init__(self, size: int, name: str = "small") -> None:
        super().__init__()
        if name not in FAMILY:
            raise OptionError(f"no net is called {name!r}; choose one of {', '.join(FAMILY)}")
        widths, depth = FAMILY[name]
        stride = 1 if size <= 48 else 2 if size <= 96 else 4
        side, channels = -(-size // stride), widths[0]
        stages: list[nn.Module] = [convolution(3, channels, 3, stride)]
        for width in widths:
            halve = side >= 2 * LAST_SIDE
            stages.append(
                nn.Sequential(
                    convolution(channels, width, 3, 2 if halve else 1),
                    *(Sandwich(width) for _ in range(depth)),
                )
            )
            side, channels = -(-side // 2) if halve else side, width
        self.features = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=(2, 3))
