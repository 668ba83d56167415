"""Several models side by side as one module, so that one file holds them all."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from darter.errors import OptionError


class Ensemble(nn.Module):
    """pictures (N, 3, S, S) -> logits (N, classes), whose softmax is the mean of the members'.

    members: models for the same input and classes.   several: any number of labels per picture,
        so that sigmoids are averaged.
    The mean is taken of logarithms: nothing underflows, however sure the members are.
    Source: Lakshminarayanan et al., arXiv:1612.01474.
    """

    def __init__(self, members: Sequence[nn.Module], *, several: bool = False) -> None:
        super().__init__()
        if not members:
            raise OptionError("an ensemble needs at least one model")
        self.members = nn.ModuleList(members)
        self.several = several

    def forward(self, x: Tensor) -> Tensor:
        return self.joined([member(x) for member in self.members])

    def joined(self, logits: Sequence[Tensor]) -> Tensor:
        """The answer, of the members' logits."""
        if self.several:
            yes = log_sum([-softplus(-z) for z in logits])
            return yes - log_sum([-softplus(z) for z in logits])
        return log_sum([torch.log_softmax(z, dim=1) for z in logits]) - math.log(len(logits))


def log_sum(terms: Sequence[Tensor]) -> Tensor:
    """log(Σ exp(term)), pair by pair."""
    total = terms[0]
    for term in terms[1:]:
        total = total + softplus(term - total)
    return total
