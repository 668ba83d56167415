"""Several models side by side as one module, so that one file holds them all."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from darter.errors import OptionError

LEAST = 1e-30  # a probability, for its logarithm


class Ensemble(nn.Module):
    """pictures (N, 3, S, S) -> logits (N, classes), whose softmax is the mean of the members'.

    members: models for the same input and classes.   several: any number of labels per picture,
        so that sigmoids are averaged.
    Source: Lakshminarayanan et al., arXiv:1612.01474.
    """

    def __init__(self, members: Sequence[nn.Module], *, several: bool = False) -> None:
        super().__init__()
        if not members:
            raise OptionError("an ensemble needs at least one model")
        self.members = nn.ModuleList(members)
        self.several = several

    def forward(self, x: Tensor) -> Tensor:
        each = [member(x) for member in self.members]
        made = [torch.sigmoid(z) if self.several else torch.softmax(z, dim=1) for z in each]
        mean = made[0]
        for probabilities in made[1:]:
            mean = mean + probabilities
        mean = mean * (1 / len(made))
        logits = torch.log(torch.clamp_min(mean, LEAST))
        if self.several:
            logits = logits - torch.log(torch.clamp_min(1 - mean, LEAST))
        return logits
