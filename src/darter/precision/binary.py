"""Layers of +1 and -1 to train: binary convolutions, thresholds and activations that learn.

Forward, a number counts by its sign (0 is +1). Backward, the sign's gradient, which is 0
everywhere, is replaced by that of a curve like it (Courbariaux & Bengio, arXiv:1602.02830; Liu et
al., Bi-Real Net, arXiv:1808.00278). RSign and RPReLU learn where to cut and how to bend (Liu et
al., ReActNet, arXiv:2003.03488).
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Sign(torch.autograd.Function):
    """Sign of activations; the gradient is Bi-Real Net's polynomial, 2 - 2|x| within [-1, 1]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,) = ctx.saved_tensors
        return gradients[0] * (2 - 2 * x.abs()).clamp(min=0)


class _WeightSign(torch.autograd.Function):
    """Sign of weights; the gradient passes where the weight is within [-1, 1]."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return torch.where(w >= 0, 1.0, -1.0).to(w.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (w,) = ctx.saved_tensors
        return gradients[0] * (w.abs() <= 1)


class RSign(nn.Module):
    """(N, C, ...) -> +1 where x >= threshold, else -1; a threshold per channel that learns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        moved = x - _per_channel(self.threshold, x)
        return _Sign.apply(moved) if self.training else torch.where(moved >= 0, 1.0, -1.0)


class RPReLU(nn.Module):
    """prelu(x - before) + after, each with a parameter per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.Parameter(torch.zeros(channels))
        self.after = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        moved = x - _per_channel(self.before, x)
        return F.prelu(moved, self.slope) + _per_channel(self.after, x)


class _BinaryWeights(nn.Module):
    """Weights that count by their signs times the mean size of their filter (XNOR-Net).

    binary: in training, whether they do so already. Two-step training first learns with real
    weights and binary activations. In evaluation they always do.
    """

    weight: nn.Parameter

    def __init__(self) -> None:
        super().__init__()
        self.binary = True

    def used(self) -> Tensor:
        """The weights as the layer multiplies by them."""
        if self.training and not self.binary:
            return self.weight
        size = self.weight.abs().flatten(1).mean(1).detach()
        size = size.reshape(-1, *(1,) * (self.weight.dim() - 1)).clamp(min=1e-8)
        if self.training:
            return _WeightSign.apply(self.weight) * size
        return torch.where(self.weight >= 0, size, -size)


class BinaryConv2d(_BinaryWeights):
    """A convolution by binary weights, of an input of +1 and -1 (from RSign). No bias.

    Padding is zeros: taps outside of the picture add nothing, in PyTorch, in ONNX and in darter's
    bits alike.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel_size, kernel_size))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.used(), None, self.stride, self.padding)


class BinaryLinear(_BinaryWeights):
    """(N, inputs) of +1 and -1 -> (N, outputs), by binary weights. No bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.used())


def frozen(model: nn.Module) -> nn.Module:
    """A copy for use: binary layers are Conv2d and Linear whose weights are the filters' ±sizes."""
    model = copy.deepcopy(model).eval()
    for name, layer in [*model.named_modules()]:
        plain: nn.Conv2d | nn.Linear
        if isinstance(layer, BinaryConv2d):
            k, c, r, s = layer.weight.shape
            plain = nn.Conv2d(c, k, (r, s), layer.stride, layer.padding, bias=False)
        elif isinstance(layer, BinaryLinear):
            outputs, inputs = layer.weight.shape
            plain = nn.Linear(inputs, outputs, bias=False)
        else:
            continue
        plain.weight = nn.Parameter(layer.used().detach().clone(), requires_grad=False)
        model.set_submodule(name, plain.eval())
    return model


def is_binary(module: nn.Module) -> bool:
    """Whether any layer has binary weights."""
    return any(isinstance(each, _BinaryWeights) for each in module.modules())


def set_binary(module: nn.Module, binary: bool) -> None:
    """Say whether weights count by their signs in training, too: the second of the two steps."""
    for each in module.modules():
        if isinstance(each, _BinaryWeights):
            each.binary = binary


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (x.dim() - 2))
