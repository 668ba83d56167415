"""Several models side by side as one module, so that one file holds them all."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from darter.errors import OptionError

LEAST_SHARE = 1e-12


class Ensemble(nn.Module):
    """pictures (N, 3, S, S) -> logits (N, classes), whose softmax is the mean of the members'.

    members: models for the same input and classes.   several: any number of labels per picture,
        so that sigmoids are averaged.   weights: of the members; none weighs all alike.
    The mean is taken of logarithms: nothing underflows, however sure the members are.
    Source: Lakshminarayanan et al., arXiv:1612.01474.
    """

    def __init__(
        self,
        members: Sequence[nn.Module],
        *,
        several: bool = False,
        weights: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if not members:
            raise OptionError("an ensemble needs at least one model")
        self.members = nn.ModuleList(members)
        self.several = several
        self.shares = [w / sum(weights) for w in weights] or [1 / len(members)] * len(members)
        if len(self.shares) != len(members) or min(self.shares) < 0:
            raise OptionError(f"{len(members)} models need as many positive weights; got {weights}")
        self.logs = [math.log(max(share, LEAST_SHARE)) for share in self.shares]

    def forward(self, x: Tensor) -> Tensor:
        return self.joined([member(x) for member in self.members])

    def joined(self, logits: Sequence[Tensor]) -> Tensor:
        """The answer, of the members' logits."""
        if self.several:
            yes = log_sum([log - softplus(-z) for log, z in zip(self.logs, logits, strict=True)])
            return yes - log_sum(
                [log - softplus(z) for log, z in zip(self.logs, logits, strict=True)]
            )
        own = [torch.log_softmax(z, dim=1) for z in logits]
        return log_sum([log + row for log, row in zip(self.logs, own, strict=True)])


def log_sum(terms: Sequence[Tensor]) -> Tensor:
    """log(Σ exp(term)), pair by pair."""
    total = terms[0]
    for term in terms[1:]:
        total = total + softplus(term - total)
    return total
