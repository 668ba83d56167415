"""Stochastic depth: in training, whole residual branches are left out."""

import torch
from torch import Tensor, nn

from darter.errors import OptionError


class StochasticDepth(nn.Module):
    """Of each picture in a batch, sets the branch to 0 with probability p, else scales it by
    1/(1-p). Stands at the end of a residual branch. Source: Huang et al., arXiv:1603.09382."""

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise OptionError(f"stochastic depth: p must lie in [0, 1); got {p}")
        self.p = p

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or not self.p:
            return branch
        keep = torch.empty((len(branch), *[1] * (branch.dim() - 1)), device=branch.device)
        return branch * keep.bernoulli_(1 - self.p).div_(1 - self.p).to(branch.dtype)

    def extra_repr(self) -> str:
        return f"p={self.p}"
