"""What several answers to each picture come to: the mean, and how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.model import Multilabel, Task, get_task, logits_of, mean_logits, probabilities, shares

STEPS, RATE = 500, 0.2  # of the exponentiated gradient that learns weights
PULL = 0.02  # nats per nat of distance from equal weights: few pictures prove little


@dataclass(frozen=True)
class Marginal:
    """Answers to N pictures, averaged over S samples.

    mean, spread: (N, classes), mean and standard deviation of the probabilities.
    entropy: (N,), of the mean, in nats: all of the doubt.
    mutual_information: (N,), the part of it that comes from samples that disagree; the rest is
        the doubt that each sample has itself. Source: Gal et al., arXiv:1703.02910 (BALD).
    logits: (N, classes), what the task turns into `mean`.
    samples: S.
    unreadable: (name, reason) of pictures that are not among the N.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    entropy: NDArray[np.float64]
    mutual_information: NDArray[np.float64]
    logits: NDArray[np.float64]
    samples: int
    unreadable: tuple[tuple[str, str], ...] = ()


def marginal(
    logits: NDArray[np.floating],
    *,
    task: Task | str = "classify",
    weights: Sequence[float] = (),
    average: str = "probabilities",
    unreadable: Sequence[tuple[str, str]] = (),
) -> Marginal:
    """logits: (S, N, classes), S answers to each of N pictures.

    weights: of the S samples.   average: "probabilities" or "logits" (the geometric mean).
    """
    task = get_task(task) if isinstance(task, str) else task
    share = shares(len(logits), weights)
    each = probabilities(task, logits)
    mean = np.tensordot(share, each, axes=1)
    spread = np.sqrt(np.tensordot(share, (each - mean) ** 2, axes=1))
    averaged = logits_of(task, mean)
    if average != "probabilities":
        averaged = mean_logits(task, logits, weights, average=average)
        mean = probabilities(task, averaged)
    doubt = entropy(task, mean)
    own = np.tensordot(share, np.stack([entropy(task, p) for p in each]), axes=1)
    return Marginal(
        mean, spread, doubt, np.maximum(doubt - own, 0), averaged, len(logits), tuple(unreadable)
    )


def entropy(task: Task, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, classes) of probabilities -> (N,) in nats; of several labels, summed over them."""
    if isinstance(task, Multilabel):
        return (_plogp(mean) + _plogp(1 - mean)).sum(axis=-1)
    return _plogp(mean).sum(axis=-1)


def _plogp(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return -p * np.log(np.maximum(p, 1e-300))


def fit_weights(
    logits: NDArray[np.floating], targets: NDArray[Any], *, task: Task | str = "classify"
) -> NDArray[np.float64]:
    """Weights (S,) of samples that lower the log loss of their mean on labelled pictures.

    logits: (S, N, classes).   Returns equal weights where nothing better is found.
    The loss is convex in the weights; exponentiated gradients stay on the simplex, and a pull
    towards equal weights keeps a few pictures from deciding much.
    Source: Kivinen & Warmuth, Information and Computation 132 (1997).
    """
    task = get_task(task) if isinstance(task, str) else task
    each = probabilities(task, logits)
    true = task.dense(targets, logits.shape[-1]).astype(np.float64)
    count, pictures = each.shape[:2]
    weights = np.full(count, 1 / count)
    if not pictures:
        return weights
    several = isinstance(task, Multilabel)
    for _ in range(STEPS):
        mean = np.tensordot(weights, each, axes=1).clip(1e-12, 1 - 1e-12)
        slope = -true / mean + ((1 - true) / (1 - mean) if several else 0.0)
        gradient = np.einsum("nk,snk->s", slope, each) / pictures
        gradient = gradient + PULL * np.log(weights * count)
        weights = weights * np.exp(-RATE * (gradient - gradient.mean()).clip(-5, 5))
        weights = weights / weights.sum()
    return weights
