"""A pretrained net without its classifier, cut into blocks from stem to top.

backbone = zoo.load()                        # net: (N, 3, H, W) -> (N, feature_dim)
model = Classifier(backbone, classes=10)     # (N, 3, H, W) -> logits (N, 10)
model = Classifier(backbone, classes=10, layers="all")   # the head reads every block
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from darter.errors import OptionError
from darter.picture import Preprocess, ValueRange

LAYERS = ("last", "all")


@dataclass(frozen=True)
class Block:
    """One step of a net: the smallest part that trains or stays frozen as a whole.

    parameters: names in `net.named_parameters()`.
    modules: names of the modules that own them or hold running statistics.
    tap: the module whose output is the block's output, or None where no one module has it.
    """

    name: str
    parameters: tuple[str, ...]
    modules: tuple[str, ...]
    tap: str | None = None


@dataclass
class Backbone:
    """A net with what it was trained on; `source` says in a sentence where the weights are from.

    net: float32 (N, 3, H, W), normalized by `mean` and `std` -> pooled features (N, feature_dim).
    taps: name of an inner block -> width of its pooled output.
    size: side of the square input in pixels. resize: short side before the center crop.
    fixed_size: the net takes no other size (most transformers).
    """

    name: str
    net: nn.Module
    blocks: tuple[Block, ...]
    feature_dim: int
    taps: dict[str, int]
    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    fixed_size: bool = False

    def width(self, layers: str = "last") -> int:
        """Number of features that a head sees when it reads the "last" layer or "all" layers."""
        _check_layers(layers)
        return self.feature_dim + (sum(self.taps.values()) if layers == "all" else 0)

    def preprocess(
        self,
        size: int | None = None,
        crop: str = "center",
        value_range: ValueRange | None = None,
    ) -> Preprocess:
        """What the net expects of its pictures, at its own size or another.

        value_range: as for `Preprocess`.
        """
        size = size or self.size
        resize = round(size * self.resize / self.size) if crop == "center" else None
        return Preprocess(size, resize, crop, self.mean, self.std, value_range=value_range)

    def read(self, x: Tensor, layers: str = "last") -> Tensor:
        """Pooled features (N, width(layers)); inner layers come first, in the order of `taps`."""
        _check_layers(layers)
        if layers == "last":
            return self.net(x)
        inner, last = self.read_each(x)
        return torch.cat([*inner.values(), last], dim=1)

    def read_each(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Pooled features of the inner blocks by name, and of the last layer."""
        modules = {b.name: b.tap for b in self.blocks if b.tap is not None and b.name in self.taps}
        with _outputs(self.net, modules) as caught:
            last = self.net(x)
        channels_last = getattr(self.net, "output_fmt", None) == "NHWC"
        return {name: pool(caught[name], channels_last) for name in self.taps}, last

    def digest(self) -> str:
        """Of name and weights: equal digests give equal features."""
        digest = hashlib.sha256(self.name.encode())
        for name, value in sorted(self.net.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class TransferModel(nn.Module):
    """A backbone and a head on it: what a strategy prepares and `darter.train` trains.

    backbone: as given.   net: its layers.   head: all that the model has beside them.
    """

    backbone: Backbone
    net: nn.Module
    head: nn.Module

    @property
    def dropout(self) -> nn.Dropout:
        """The head's, whose share strategies and recipes set."""
        raise NotImplementedError


class Classifier(TransferModel):
    """A backbone and a head (dropout and one linear layer): pictures in, logits out."""

    head: nn.Sequential

    def __init__(
        self, backbone: Backbone, classes: int, *, layers: str = "last", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.layers = layers
        self.net = backbone.net
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(backbone.width(layers), classes))

    @property
    def linear(self) -> nn.Linear:
        """The layer that turns features into logits."""
        linear = self.head[1]
        assert isinstance(linear, nn.Linear)
        return linear

    @property
    def dropout(self) -> nn.Dropout:
        dropout = self.head[0]
        assert isinstance(dropout, nn.Dropout)
        return dropout

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone.read(x, self.layers))

    @torch.no_grad()
    def set_head(self, weight: Tensor, bias: Tensor) -> None:
        """Start from a probe's solution. weight: (classes, width). bias: (classes,)."""
        self.linear.weight.copy_(torch.as_tensor(weight))
        self.linear.bias.copy_(torch.as_tensor(bias))


def pool(x: Tensor, channels_last: bool = False) -> Tensor:
    """Global average over positions: (N, C, h, w), (N, h, w, C) or (N, tokens, C) -> (N, C)."""
    if x.dim() == 2:
        return x
    if x.dim() == 3:
        return x.mean(dim=1)
    return x.mean(dim=(1, 2) if channels_last else (2, 3))


@contextmanager
def _outputs(net: nn.Module, modules: dict[str, str]) -> Iterator[dict[str, Tensor]]:
    """Catch what the named modules return while the net runs."""
    caught: dict[str, Tensor] = {}

    def catch(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            caught[name] = output

        return hook

    handles = [net.get_submodule(m).register_forward_hook(catch(n)) for n, m in modules.items()]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


def _check_layers(layers: str) -> None:
    if layers not in LAYERS:
        raise OptionError(f"layers is {layers!r}; expected one of {', '.join(LAYERS)}")
