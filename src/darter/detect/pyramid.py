"""A pretrained backbone as a feature pyramid: what it sees at strides 8, 16 and 32, mixed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from darter.detect.points import STRIDES
from darter.errors import OptionError
from darter.transfer import Backbone

PROBE = 128  # pixels of a side of the picture that shows where each stride is


class Pyramid(nn.Module):
    """(N, 3, H, W) -> [(N, width, H/8, W/8), (…, H/16, W/16), (…, H/32, W/32)].

    Top-down sums of 1×1 projections: Lin et al., arXiv:1612.03144. The last block of each stride is
    read; the backbone's own top (a wide 1×1 layer for classification) is left out where a block
    of its stride comes before it.
    """

    def __init__(self, backbone: Backbone, width: int = 96) -> None:
        super().__init__()
        self.taps = find_taps(backbone)
        self.fpn = FeaturePyramidNetwork([channels for _, channels in self.taps], width)

    def forward(self, net: nn.Module, x: Tensor) -> list[Tensor]:
        """net: the backbone's, which is no child of this module."""
        with outputs_of(net, [tap for tap, _ in self.taps]) as caught:
            net(x)
        return list(self.fpn({tap: caught[tap] for tap, _ in self.taps}).values())


@contextmanager
def outputs_of(net: nn.Module, modules: list[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, what these modules return when the net runs."""
    caught: dict[str, Tensor] = {}

    def catch(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: caught.__setitem__(name, output)

    handles = [net.get_submodule(name).register_forward_hook(catch(name)) for name in modules]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def find_taps(backbone: Backbone) -> list[tuple[str, int]]:
    """(module, channels) of the last inner block of each stride.

    Raises OptionError for nets that have no such blocks (transformers of one scale).
    """
    net = backbone.net
    was = net.training
    net.eval()
    named = [b.tap for b in backbone.blocks if b.tap is not None]
    with outputs_of(net, named) as caught:
        net(torch.zeros(1, 3, PROBE, PROBE))
    shapes = {name: tuple(output.shape) for name, output in caught.items()}
    net.train(was)
    found = []
    for stride in STRIDES:
        fits = [tap for tap in named if len(shapes.get(tap, ())) == 4
                and shapes[tap][2:] == (PROBE // stride, PROBE // stride)]  # fmt: skip
        inner = [tap for tap in fits if tap != named[-1]] or fits
        if not inner:
            raise OptionError(
                f"{backbone.name} has no layer at stride {stride}, which a detector reads; "
                "take a convolutional backbone, as efficientnet_lite0"
            )
        found.append((inner[-1], shapes[inner[-1]][1]))
    return found
