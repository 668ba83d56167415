"""Several models as one: the mean of their probabilities, also where they are very sure."""

import pytest
import torch
from torch import nn

from darter.errors import OptionError
from darter.noise import Ensemble


class Fixed(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = torch.as_tensor(logits)

    def forward(self, x):
        return self.logits.expand(len(x), -1)


ROWS = ([3.0, -1, 0], [0, 0, 5], [-200, 200, 0], [30, 29, -40])


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("several", [False, True])
def test_it_answers_the_mean_of_probabilities(count, several):
    rows = [torch.tensor(row, dtype=torch.float32) for row in ROWS[:count]]
    logits = Ensemble([Fixed(row) for row in rows], several=several)(torch.zeros(2, 1))
    assert torch.isfinite(logits).all() and logits.shape == (2, 3)
    act = torch.sigmoid if several else lambda z: z.softmax(-1)
    mean = torch.stack([act(row.double()) for row in rows]).mean(dim=0)
    torch.testing.assert_close(act(logits[1].double()), mean, atol=1e-6, rtol=1e-5)


def test_nobody_is_no_ensemble():
    with pytest.raises(OptionError, match="at least one"):
        Ensemble([])
