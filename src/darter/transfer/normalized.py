"""A net that is given pictures normalized for another net."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from darter.errors import OptionError
from darter.picture import Preprocess
from darter.transfer.backbone import Backbone


def given_as(backbone: Backbone, look: Preprocess) -> Backbone:
    """A copy of the net that computes of pictures as `look` makes them what it computes of its own.

    Size and crop are those of `look`. OptionError where the net takes no such size.
    """
    if backbone.fixed_size and look.sides != (backbone.size, backbone.size):
        height, width = look.sides
        raise OptionError(
            f"{backbone.name} takes pictures of {backbone.size}×{backbone.size} pixels only; these "
            f"are {height}×{width}"
        )
    if (backbone.mean, backbone.std) == (look.mean, look.std):
        return backbone
    pairs = zip(look.mean, look.std, backbone.mean, backbone.std, strict=True)
    lines = [(std / own_std, (mean - own_mean) / own_std) for mean, std, own_mean, own_std in pairs]
    net = copy.deepcopy(backbone.net)
    net.register_forward_pre_hook(_Lines(lines))
    return replace(backbone, net=net, mean=look.mean, std=look.std)  # type: ignore[arg-type]  # of three


class _Lines:
    """A hook: a line for each channel. It is no part of the net, whose parts keep their names."""

    def __init__(self, lines: list[tuple[float, float]]) -> None:
        self.lines = lines

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        (x,) = inputs
        factor, shift = (
            torch.tensor(values, dtype=x.dtype, device=x.device).reshape(1, -1, 1, 1)
            for values in zip(*self.lines, strict=True)
        )
        return x * factor + shift
