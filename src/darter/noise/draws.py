"""Noise of a head, drawn once and for all, so that any runtime can average over it."""

import torch
from torch import Tensor, nn

from darter.errors import OptionError
from darter.noise.dropconnect import DropConnectLinear

DRAWS = "draws"  # the output of a file, (N, draws × classes)


class Draws(nn.Module):
    """What the head reads (N, D) -> its answers (N, draws × classes), each with a mask of its own.

    A mask of the inputs, or of the weights, is a linear layer with other weights; all of them are
    one product. Every picture meets the same masks, in every runtime.
    Source: Gal & Ghahramani, arXiv:1506.02142 (the masks); with masks shared by pictures,
    Durasov et al., "Masksembles", arXiv:2012.08334.
    """

    def __init__(self, linear: nn.Linear, dropout: float, draws: int, seed: int = 0) -> None:
        super().__init__()
        kinds = drawn_kinds(linear, dropout)
        if not kinds:
            raise OptionError(NOTHING)
        generator = torch.Generator().manual_seed(seed)

        def keep(p: float, *shape: int) -> Tensor:
            ones = torch.empty(shape).bernoulli_(1 - p, generator=generator)
            return ones / (1 - p)

        weight = linear.weight.detach().float().cpu().expand(draws, -1, -1)
        if "dropout" in kinds:
            weight = weight * keep(dropout, draws, 1, weight.shape[2])
        if "dropconnect" in kinds:
            assert isinstance(linear, DropConnectLinear)
            weight = weight * keep(linear.p, *weight.shape)
        self.all = nn.Linear(weight.shape[2], draws * weight.shape[1], bias=linear.bias is not None)
        with torch.no_grad():
            self.all.weight.copy_(weight.flatten(0, 1))
            if linear.bias is not None:
                self.all.bias.copy_(linear.bias.detach().float().cpu().repeat(draws))

    def forward(self, features: Tensor) -> Tensor:
        return self.all(features)


NOTHING = (
    "keep_draws: the head of this model drops nothing, so there is nothing to draw. Set dropout or "
    "dropconnect in the recipe, and a strategy that trains a net (a linear probe is fitted without "
    "noise)."
)


def drawn_kinds(linear: nn.Linear, dropout: float) -> tuple[str, ...]:
    """Of the noise in a head, which may be drawn: "dropout", "dropconnect"."""
    connect = isinstance(linear, DropConnectLinear) and linear.p > 0
    return ("dropout",) * (dropout > 0) + ("dropconnect",) * connect
