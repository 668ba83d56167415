"""How long nets take for a picture here."""

from collections.abc import Callable, Mapping
from statistics import median

import numpy as np

from darter.model import Session, in_turns

SECONDS = 0.6  # per net


def milliseconds(
    runs: Mapping[str, Callable[[], object]], *, seconds: float = SECONDS
) -> dict[str, float]:
    """The median time of each, taken in turns.   runs: name -> one run."""
    return {name: median(each) for name, each in in_turns(runs, seconds=seconds).items()}


def one_picture(session: Session) -> Callable[[], object]:
    """A run of one picture, decoded and prepared already."""
    x = np.zeros((1, *session.info.preprocess.shape), np.float32)
    x[:] = np.random.default_rng(0).normal(size=x.shape)
    return lambda: session.run(x)
