"""How far to trust a confidence, and how to make it honest: pure numpy.

Confidences are probabilities of the predicted class, `correct` is a boolean per picture, labels
are class indices. Every function takes arrays of one length n.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.model.metrics import ratio, same_length, softmax, wilson

TEMPERATURES = (0.05, 20.0)  # beyond these, confidences are all one or all equal
MOST_BINS, LEAST_IN_BIN = 15, 20
DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True)
class ReliabilityBin:
    """Pictures with about the same confidence: what was promised and what came true.

    low, high: the least and the greatest confidence among them.
    interval: Wilson's 95% interval of their accuracy.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    interval: tuple[float, float]
    count: int


def reliability(
    confidence: ArrayLike, correct: ArrayLike, bins: int | None = None
) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram: bins of about as many pictures each, by rising confidence.

    bins: at most so many; by default up to 15, with 20 pictures or more in each. Equal confidences
    share a bin, so there may be fewer. Bins of equal mass instead of equal width waste none on
    confidences that never occur, and their error is less biased.
    Sources: Nguyen & O'Connor, EMNLP 2015; Roelofs et al., arXiv:2012.08668.
    """
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    same_length("reliability", confidence=confidence, correct=correct)
    n = len(confidence)
    if not n:
        return ()
    wanted = bins or min(MOST_BINS, max(1, n // LEAST_IN_BIN))
    _, value, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - counts  # of the first picture with each confidence
    which = (rank * wanted // n)[value]
    return tuple(
        ReliabilityBin(
            low=float(confidence[inside].min()),
            high=float(confidence[inside].max()),
            confidence=float(confidence[inside].mean()),
            accuracy=float(correct[inside].mean()),
            interval=wilson(int(correct[inside].sum()), int(inside.sum())),
            count=int(inside.sum()),
        )
        for inside in (which == k for k in np.unique(which))
    )


@dataclass(frozen=True)
class CalibrationError:
    """Mean |confidence - accuracy| over the bins of `reliability`, weighted by count; 0 is best.

    interval: about 95%.   by_chance: what a model whose confidences are all true would stay below
    in 95 of 100 such tests; an error within it proves nothing.
    """

    value: float
    interval: tuple[float, float]
    by_chance: float

    @property
    def proven(self) -> bool:
        """More than chance alone would show."""
        return self.value > self.by_chance


def calibration_error(
    diagram: tuple[ReliabilityBin, ...], *, seed: int = 0
) -> CalibrationError | None:
    """The expected calibration error of a reliability diagram; None without pictures.

    The interval is a Bayesian bootstrap of every bin's right answers (with Jeffreys' prior, so that
    a bin without a mistake does not promise that there are none), shifted by its own bias: |x| of a
    noisy x is too large on average, in the draws and, at the lower end, in the error itself. The
    lower end is 0 where chance alone reaches the error.
    Sources: Guo et al., arXiv:1706.04599 (the error); Rubin, Annals of Statistics 9 (1981);
    Bröcker & Smith, Weather and Forecasting 22 (2007) (what chance would show).
    """
    if not diagram:
        return None
    rng = np.random.default_rng(seed)
    count = np.array([b.count for b in diagram])
    promised = np.array([b.confidence for b in diagram]).clip(0, 1)
    right = np.array([b.accuracy for b in diagram]) * count
    share = count / count.sum()

    def errors(accuracy: NDArray) -> NDArray[np.float64]:
        return np.abs(promised - accuracy) @ share

    value = float(errors(right / count))
    draws = errors(rng.beta(right + 0.5, count - right + 0.5, (DRAWS, len(count))))
    bias = max(0.0, float(draws.mean()) - value)
    low, high = (np.quantile(draws, (0.025, 0.975)) - (2 * bias, bias)).clip(0, 1)
    honest = errors(rng.binomial(count, promised, (DRAWS, len(count))) / count)
    by_chance = float(np.quantile(honest, 0.95))
    interval = (float(min(low, value)) if value > by_chance else 0.0, float(max(high, value)))
    return CalibrationError(value, interval, by_chance)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature that makes confidences of held-out pictures honest (least log loss).

    logits: (n, classes).   labels: (n,).   Returns a value within TEMPERATURES; 1 without pictures.
    The targets are Platt's, (n+1)/(n+2) for the true class instead of 1, so that a few pictures,
    all of them right, do not promise certainty. The loss is convex in 1/temperature, so bisection
    of its slope finds the minimum. Sources: Guo et al., arXiv:1706.04599; Platt, 1999.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    same_length("fit_temperature", logits=logits, labels=labels)
    n = len(labels)
    if n == 0 or logits.shape[1] < 2:
        return 1.0
    miss = 1 / (n + 2)
    rest = (logits.sum(axis=1) - logits[np.arange(n), labels]) / (logits.shape[1] - 1)
    wanted = np.mean((1 - miss) * logits[np.arange(n), labels] + miss * rest)

    def slope(inverse: float) -> float:
        expected = (softmax(logits, 1 / inverse) * logits).sum(axis=1)
        return float(np.mean(expected) - wanted)

    low, high = (np.log(1 / t) for t in reversed(TEMPERATURES))
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(np.exp(middle)) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def choose_unknown_threshold(
    confidence: ArrayLike, correct: ArrayLike, *, keep: float = 0.98, at_most: float = 0.9
) -> float:
    """The confidence below which an answer should be "unknown", from held-out pictures.

    The largest threshold that lets `keep` of the right answers pass, which refuses as many wrong
    answers and foreign pictures as that allows. At the k-th smallest of m confidences of right
    answers, a new one passes with probability 1 - k/(m+1) or more (split conformal prediction);
    fewer than 49 right answers cannot promise 0.98, and then k is 1. Never above `at_most`: a
    shift in brightness must not turn every answer into "unknown".
    Returns 0 (answer always) where nothing was right. Source: Papadopoulos et al., 2002.
    """
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    same_length("choose_unknown_threshold", confidence=confidence, correct=correct)
    right = np.sort(confidence[correct])
    if not len(right):
        return 0.0
    k = max(1, int((1 - keep) * (len(right) + 1)))
    return min(float(right[k - 1]), at_most)


def coverage(
    confidence: ArrayLike, correct: ArrayLike, unknown_below: float
) -> tuple[float | None, float | None]:
    """How many pictures get an answer, and how many of those answers are right; None if none."""
    known = np.asarray(confidence, np.float64) >= unknown_below
    right = np.asarray(correct, bool) & known
    return ratio(known.sum(), known.size), ratio(right.sum(), known.sum())
