"""How unsure a net is of its answer, as a file can compute it: a sign of something foreign."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from darter.errors import OptionError

CONFIDENCE, ENTROPY, DISAGREEMENT = "confidence", "entropy", "mutual information"
DOUBTS = (CONFIDENCE, ENTROPY, DISAGREEMENT)


class Doubt(nn.Module):
    """Logits of one or several models for the same N pictures -> (N, 1), more where less is sure.

    measure: "confidence", 1 minus the largest probability; "entropy", of the probabilities, in
        nats; "mutual information", the part of the entropy that comes from models that disagree.
    temperature: of the answer; mutual information is of the models as they are.
    shares: of the models in the answer, where they differ.
    Sources: Hendrycks & Gimpel, arXiv:1610.02136; Gal et al., arXiv:1703.02910 (BALD).
    """

    def __init__(
        self, measure: str, temperature: float = 1.0, shares: Sequence[float] = ()
    ) -> None:
        super().__init__()
        if measure not in DOUBTS:
            raise OptionError(f"{measure!r} is no measure of doubt; choose of {', '.join(DOUBTS)}")
        self.measure, self.temperature, self.shares = measure, temperature, list(shares)

    def forward(self, answer: Tensor, members: Sequence[Tensor]) -> Tensor:
        """answer: logits (N, classes) of all models together.   members: of each."""
        if self.measure == DISAGREEMENT:
            shares = self.shares or [1 / len(members)] * len(members)
            doubts = [share * entropy(m) for share, m in zip(shares, members, strict=True)]
            return (entropy(answer) - torch.stack(doubts).sum(dim=0)).clamp_min(0)
        logits = answer / self.temperature
        if self.measure == ENTROPY:
            return entropy(logits)
        return 1 - torch.softmax(logits, dim=1).amax(dim=1, keepdim=True)


def entropy(logits: Tensor) -> Tensor:
    """(N, classes) -> (N, 1), in nats."""
    log_p = torch.log_softmax(logits, dim=1)
    return -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
