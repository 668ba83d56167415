"""How far one net's answers are from another's."""

from torch import Tensor
from torch.nn import functional as F


def divergence(
    logits: Tensor, wanted: Tensor, *, several: bool = False, temperature: float = 1.0
) -> Tensor:
    """Mean over pictures of the KL divergence from the answers that are wanted, in nats.

    logits, wanted: (N, classes).   several: any number of labels per picture, so that each class
    is a yes or no of its own; their divergences are summed.   temperature: of both, above 1 softer.
    """
    logits, wanted = logits / temperature, wanted / temperature
    if not several:
        answers, goal = F.log_softmax(logits, 1), F.log_softmax(wanted, 1)
        return F.kl_div(answers, goal, reduction="batchmean", log_target=True)
    yes = wanted.sigmoid() * (F.logsigmoid(wanted) - F.logsigmoid(logits))
    no = (-wanted).sigmoid() * (F.logsigmoid(-wanted) - F.logsigmoid(-logits))
    return (yes + no).sum(1).mean()
