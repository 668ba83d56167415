"""Every random number of a run follows from its seed and from where the run stands."""

import numpy as np
import torch

from darter.precision import seed_of


def generator(seed: int, *place: int) -> np.random.Generator:
    """Random numbers that depend on the run's seed and a place such as (step, batch) alone."""
    return np.random.default_rng(np.random.SeedSequence([seed, *place]))


def reseed(seed: int, *place: int) -> None:
    """Make torch's own draws (dropout) depend on the run's seed and the place alone."""
    torch.manual_seed(seed_of(seed, *place))
