"""DropConnect: in training, weights are dropped instead of activations.

Source: Wan et al., "Regularization of Neural Networks using DropConnect", ICML 2013. Kept weights
are scaled by 1/(1-p), so that the plain layer is the mean and nothing changes at test.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from darter.errors import OptionError


class _DropConnect:
    """What the layers below share. The mask is of the weights alone; biases stay.

    p: share of the weights dropped, in [0, 1).
    per_example: every picture of a batch gets a mask of its own, as in the paper; otherwise the
        batch shares one, which costs no memory.
    gaussian: draw the pre-activations from the normal distribution with the mean and variance
        that the masks give them, mean W x + b and variance p/(1-p) · W² x², each on its own.
    """

    p: float
    per_example: bool
    gaussian: bool
    training: bool

    def set_noise(self, p: float, per_example: bool, gaussian: bool) -> None:
        if not 0 <= p < 1:
            raise OptionError(f"DropConnect: p must lie in [0, 1); got {p}")
        self.p, self.per_example, self.gaussian = p, per_example, gaussian

    def masked(self, weight: Tensor, *lead: int) -> Tensor:
        """The weight, or `lead` of them, with a share p of 0 and the rest scaled."""
        keep = torch.empty((*lead, *weight.shape), dtype=weight.dtype, device=weight.device)
        return weight * keep.bernoulli_(1 - self.p).div_(1 - self.p)

    def around(self, mean: Tensor, variance: Tensor) -> Tensor:
        deviation = (self.p / (1 - self.p) * variance).clamp_min(1e-12).sqrt()
        return mean + deviation * torch.randn_like(mean)


class DropConnectLinear(_DropConnect, nn.Linear):
    """`nn.Linear` (N, in) -> (N, out) whose weights are dropped in training."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        p: float = 0.5,
        per_example: bool = True,
        gaussian: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.set_noise(p, per_example, gaussian)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return super().forward(x)
        if self.gaussian:
            variance = functional.linear(x.square(), self.weight.square())
            return self.around(super().forward(x), variance)
        if not self.per_example or x.dim() != 2:
            return functional.linear(x, self.masked(self.weight), self.bias)
        found = torch.einsum("nd,nkd->nk", x, self.masked(self.weight, len(x)).to(x.dtype))
        return found if self.bias is None else found + self.bias


class DropConnectConv2d(_DropConnect, nn.Conv2d):
    """`nn.Conv2d` whose filters are dropped in training, weight by weight.

    A mask holds for all positions of a picture. With `per_example` the batch becomes groups of
    one convolution; with `gaussian`, positions are drawn on their own, which loses that they share
    a mask.
    """

    def __init__(
        self,
        *args: Any,  # as for `nn.Conv2d`
        p: float = 0.2,
        per_example: bool = False,
        gaussian: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.set_noise(p, per_example, gaussian)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return super().forward(x)
        if self.gaussian:
            variance = self._convolve(x.square(), self.weight.square(), None, self.groups)
            return self.around(super().forward(x), variance)
        if not self.per_example:
            return self._conv_forward(x, self.masked(self.weight), self.bias)
        count, weight = len(x), self.masked(self.weight, len(x)).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat(count)
        found = self._convolve(x.reshape(1, -1, *x.shape[2:]), weight, bias, self.groups * count)
        return found.reshape(count, -1, *found.shape[2:])

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        if self.padding_mode != "zeros":
            x = functional.pad(x, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        padding = self.padding if self.padding_mode == "zeros" else 0
        return functional.conv2d(x, weight, bias, self.stride, padding, self.dilation, groups)


def as_dropconnect(
    layer: nn.Linear | nn.Conv2d, p: float, *, gaussian: bool = False
) -> DropConnectLinear | DropConnectConv2d:
    """The layer with DropConnect, around the very same parameters."""
    new: DropConnectLinear | DropConnectConv2d
    if isinstance(layer, nn.Linear):
        new = DropConnectLinear(layer.in_features, layer.out_features, p=p, gaussian=gaussian)
    else:
        new = DropConnectConv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            padding_mode=layer.padding_mode,
            p=p,
            gaussian=gaussian,
        )
    new.weight, new.bias = layer.weight, layer.bias
    return new.train(layer.training)
