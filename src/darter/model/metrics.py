"""How good predictions are, and how far to trust their confidence: pure numpy.

Confidences are probabilities of the predicted class, `correct` is a boolean per picture, labels
and predictions are class indices. Every function takes arrays of one length n.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.errors import ShapeError

NORMAL_95 = 1.959963984540054  # the normal distribution's two-sided 95% quantile
TEMPERATURES = (0.05, 20.0)  # beyond these, confidences are all one or all equal


def softmax(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of logits (..., classes), in float64. A higher temperature is less sure."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def wilson(successes: int, n: int, z: float = NORMAL_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion: sound for small n and near 0 or 1, unlike ±z·se.

    Without observations it is (0, 1). Source: Wilson, JASA 22 (1927).
    """
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    center = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return float(low), float(high)


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): rows are the true class, columns the predicted one."""
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    _same_length("confusion_matrix", labels=labels, predicted=predicted)
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """One class's row. A ratio whose denominator is 0 is None: it was not measured.

    precision: of the pictures called this, how many are. recall: of those that are, how many
    were found. f1: their harmonic mean. count: pictures of this class.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    count: int


def per_class(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of every class, from `confusion_matrix`."""
    right, true, called = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassScore(
            label=label,
            precision=_ratio(right[k], called[k]),
            recall=_ratio(right[k], true[k]),
            f1=_ratio(2 * right[k], true[k] + called[k]),
            count=int(true[k]),
        )
        for k, label in enumerate(classes)
    )


@dataclass(frozen=True)
class ReliabilityBin:
    """Pictures whose confidence lies in (low, high]: what was promised and what came true."""

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    count: int


def reliability(
    confidence: ArrayLike, correct: ArrayLike, bins: int = 15
) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram: bins of equal width over (0, 1]; an empty bin has no figures."""
    edges, count, promised, right = _binned(confidence, correct, bins)
    return tuple(
        ReliabilityBin(
            low=float(edges[k]),
            high=float(edges[k + 1]),
            confidence=_ratio(promised[k], count[k]),
            accuracy=_ratio(right[k], count[k]),
            count=int(count[k]),
        )
        for k in range(bins)
    )


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, bins: int = 15
) -> float | None:
    """Mean |confidence - accuracy| over the bins of `reliability`, weighted by count; 0 is best.

    None without pictures. Source: Guo et al., arXiv:1706.04599 (15 bins).
    """
    _, count, promised, right = _binned(confidence, correct, bins)
    return _ratio(np.abs(promised - right).sum(), count.sum())


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature that makes confidences of held-out pictures honest (least log loss).

    logits: (n, classes).   labels: (n,).   Returns a value within TEMPERATURES; 1 without pictures.
    The targets are Platt's, (n+1)/(n+2) for the true class instead of 1, so that a few pictures,
    all of them right, do not promise certainty. The loss is convex in 1/temperature, so bisection
    of its slope finds the minimum. Sources: Guo et al., arXiv:1706.04599; Platt, 1999.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    _same_length("fit_temperature", logits=logits, labels=labels)
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
    _same_length("choose_unknown_threshold", confidence=confidence, correct=correct)
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
    return _ratio(known.sum(), known.size), _ratio(right.sum(), known.sum())


def _binned(confidence: ArrayLike, correct: ArrayLike, bins: int) -> tuple[NDArray, ...]:
    """Edges of the bins; per bin the count, the sum of confidences and the right answers."""
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    _same_length("reliability", confidence=confidence, correct=correct)
    edges = np.arange(bins + 1) / bins
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    promised = np.bincount(which, confidence, minlength=bins)
    return edges, count, promised, np.bincount(which, correct, minlength=bins)


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _same_length(function: str, **arrays: NDArray) -> None:
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        given = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ShapeError(f"{function}: arrays must have one length; got {given}")
