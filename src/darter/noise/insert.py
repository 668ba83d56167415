"""Put sources of noise into a net that has none, without changing the names of its parameters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import dropout2d

from darter.noise.dropconnect import DropConnectConv2d, DropConnectLinear, as_dropconnect
from darter.noise.stochastic_depth import StochasticDepth

DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, StochasticDepth)
DROPCONNECT = (DropConnectLinear, DropConnectConv2d)
BRANCH_ENDS = ("drop_path", "drop_path1", "drop_path2")  # where timm's blocks have a place for it


@dataclass(frozen=True)
class Noise:
    """Shares that are dropped in training, each in [0, 1); 0 is off.

    dropconnect: of the head's weights.   dropconnect_convolutions: of the learning blocks' filters.
    spatial_dropout: of the channels of each learning block's output (Tompson et al.,
        arXiv:1411.4280).   stochastic_depth: of the last residual branch; it rises from 0 at the
        first.
    """

    dropconnect: float = 0.0
    dropconnect_convolutions: float = 0.0
    spatial_dropout: float = 0.0
    stochastic_depth: float = 0.0

    def __bool__(self) -> bool:
        return any((self.dropconnect, self.dropconnect_convolutions, self.spatial_dropout,
                    self.stochastic_depth))  # fmt: skip


def equip(noise: Noise, *, head: nn.Module, blocks: Iterable[nn.Module]) -> dict[str, int]:
    """Insert the noise into the parts of a model; how many places each source found.

    head: the module in which linear layers get DropConnect.   blocks: the modules that learn.
    The model's parameters keep their names, and in evaluation mode it computes what it did.
    """
    blocks = list(blocks)
    found = dict.fromkeys(
        ("dropconnect", "dropconnect_convolutions", "spatial_dropout", "stochastic_depth"), 0
    )
    if noise.dropconnect:
        found["dropconnect"] = _replace(head, nn.Linear, noise.dropconnect)
    if noise.dropconnect_convolutions:
        rate = noise.dropconnect_convolutions
        found["dropconnect_convolutions"] = sum(_replace(b, nn.Conv2d, rate) for b in blocks)
    if noise.stochastic_depth:
        found["stochastic_depth"] = _deepen(blocks, noise.stochastic_depth)
    if noise.spatial_dropout:
        for block in blocks:
            drop = nn.Dropout2d(noise.spatial_dropout).eval()
            block.register_forward_hook(_AfterBlock(drop, head))
        found["spatial_dropout"] = len(blocks)
    return found


def noise_modules(model: nn.Module) -> Iterator[nn.Module]:
    """Every module of the model that drops something in training."""
    for module in model.modules():
        if isinstance(module, (*DROPOUT, *DROPCONNECT)):
            yield module
        for hook in module._forward_hooks.values():
            if isinstance(hook, _AfterBlock):
                yield hook.drop


def train_noise(model: nn.Module) -> None:
    """Let branches drop out; other noise follows the layer or the head that it belongs to."""
    for module in model.modules():
        if isinstance(module, StochasticDepth):
            module.train()


class _AfterBlock:
    """A hook that drops channels of a block's output, while the head trains or `drop` does.

    It is no part of the block, whose children may be run in a row; it is copied with it.
    """

    def __init__(self, drop: nn.Dropout2d, head: nn.Module) -> None:
        self.drop, self.head = drop, head

    def __call__(self, _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        on = self.drop.training or self.head.training
        return dropout2d(output, self.drop.p, True) if on and output.dim() == 4 else output


def _replace(owner: nn.Module, kind: type[nn.Linear] | type[nn.Conv2d], p: float) -> int:
    """DropConnect for the layers of exactly this kind: subclasses compute in ways of their own."""
    if type(owner) is kind:
        return 0  # a layer cannot replace itself; its owner does
    places = [
        (parent, name, child)
        for parent in owner.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind) and type(child) is kind
    ]
    for parent, name, child in places:
        setattr(parent, name, as_dropconnect(child, p))
    return len(places)


def _deepen(blocks: Iterable[nn.Module], most: float) -> int:
    """StochasticDepth at the branch ends, more of it the deeper they lie."""
    places = [
        (module, name)
        for block in blocks
        for module in block.modules()
        for name in BRANCH_ENDS
        if isinstance(getattr(module, name, None), nn.Identity)
        and getattr(module, "has_skip", True)
    ]
    for number, (module, name) in enumerate(places, 1):
        setattr(module, name, StochasticDepth(most * number / len(places)).eval())
    return len(places)
