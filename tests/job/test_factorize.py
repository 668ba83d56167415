"""How a rewritten net is taught."""

import numpy as np
import pytest
import torch
from torch import nn

from darter.arrange import Tuning
from darter.job.factorize import Pictures, _as_pictures_allow
from darter.model import ModelInfo
from darter.picture import Preprocess

INFO = ModelInfo(("left", "right"), Preprocess(size=32, resize=32))


class Brighter(nn.Module):
    """Which half is brighter; or, where sides are alike, the upper or the lower one."""

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        first, second = x.chunk(2, dim=self.axis)
        return torch.stack([first.mean((1, 2, 3)), second.mean((1, 2, 3))], 1)


@pytest.mark.parametrize("axis, mirror", [(3, False), (2, True)])
def test_pictures_are_mirrored_only_where_the_net_knows_them_in_the_mirror(axis, mirror):
    x = torch.rand(80, 3, 32, 32, generator=torch.Generator().manual_seed(0)).half()
    targets = Brighter(axis)(x.float()).argmax(1).numpy()
    said = []
    found = _as_pictures_allow(
        Tuning(), Brighter(axis), Pictures(x, np.asarray(targets)), INFO, said.append
    )
    assert found.mirror is mirror and found.shift == 2
    assert "100.0% of validation pictures are right" in said[0]
