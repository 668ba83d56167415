"""Several answers to one picture, averaged as probabilities.

The mean comes back as logits, so that temperature, thresholds and measures treat it as they treat
a single answer: softmax(mean_logits(…)) is the mean of the softmaxes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.errors import OptionError
from darter.model.tasks import Multilabel, Task

LEAST = 1e-30  # a probability, for its logarithm


def mean_logits(
    task: Task,
    logits: NDArray[np.floating],
    weights: Sequence[float] = (),
    *,
    average: str = "probabilities",
) -> NDArray[np.float64]:
    """Answers (samples, …, classes) as one (…, classes).

    weights: one for each sample, any positive scale; none weighs all alike.
    average: "probabilities", or "logits", which is the geometric mean of probabilities.
    Raises OptionError for another average, or weights that `shares` refuses.
    """
    share = shares(len(logits), weights)
    if average == "logits":
        return np.tensordot(share, logits.astype(np.float64), axes=1)
    if average != "probabilities":
        raise OptionError(f'average is "probabilities" or "logits"; got {average!r}')
    return logits_of(task, np.tensordot(share, probabilities(task, logits), axes=1))


def probabilities(task: Task, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """As the task has them, for logits (…, classes)."""
    flat = task.probabilities(logits.reshape(-1, logits.shape[-1]))
    return flat.reshape(logits.shape)


def logits_of(task: Task, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the task turns into these probabilities (…, classes)."""
    logs = np.log(np.maximum(probabilities, LEAST))
    if isinstance(task, Multilabel):
        return logs - np.log(np.maximum(1 - probabilities, LEAST))
    return logs


def shares(count: int, weights: ArrayLike) -> NDArray[np.float64]:
    """Weights (count,) that sum to 1, all alike where none are given.

    Raises OptionError unless there is one from 0 on for each sample, and a positive one among them.
    """
    given = np.asarray(weights, np.float64)
    if not given.size:
        return np.full(count, 1 / count)
    if given.shape != (count,) or not (given >= 0).all() or not 0 < given.sum() < np.inf:
        raise OptionError(f"weights must be {count} numbers from 0 on; got {weights!r}")
    return given / given.sum()
