"""One pretrained backbone and a few generated pictures for all tests of the room."""

import numpy as np
import pytest
import torch

from darter.picture import Picture
from darter.transfer import zoo


@pytest.fixture(scope="session")
def backbone():
    return zoo.load()


@pytest.fixture(scope="session")
def pictures():
    """Twelve small pictures: stripes along one axis (class 0) or the other (class 1)."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(12):
        wave = (np.sin(np.arange(40) * (0.5 + 0.1 * rng.random())) > 0) * 200
        field = np.repeat(wave[None], 40, axis=0) if i % 2 else np.repeat(wave[:, None], 40, axis=1)
        noisy = np.clip(field[..., None] + rng.integers(0, 40, (40, 40, 3)), 0, 255)
        made.append(Picture(np.ascontiguousarray(noisy.astype(np.uint8)), ()))
    return made


@pytest.fixture(autouse=True)
def _quiet_torch():
    torch.set_num_threads(2)
