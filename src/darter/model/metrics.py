"""How good predictions are, in figures that a lopsided test cannot flatter: pure numpy.

Labels and predictions are class indices, in arrays of one length n. Confidences have a module of
their own, `darter.model.confidence`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.errors import ShapeError

NORMAL_95 = 1.959963984540054  # the normal distribution's two-sided 95% quantile


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


def paired_interval(differences: ArrayLike, z: float = NORMAL_95) -> tuple[float, float]:
    """95% interval of the mean of paired differences (n,), each within [-1, 1].

    Of answers that are right or wrong: of the difference of two accuracies on the same pictures.
    It is wider than 0 where no picture differs. Without pictures it is (-1, 1).
    Source: Bonett & Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", JEBS 37 (2012).
    """
    values = np.asarray(differences, np.float64)
    if not len(values):
        return -1.0, 1.0
    n = len(values) + 2  # as if one more picture had differed each way
    middle = values.sum() / n
    half = z * np.sqrt(max((np.square(values).sum() + 2) / n - middle**2, 0.0) / n)
    return float(max(-1.0, middle - half)), float(min(1.0, middle + half))


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): rows are the true class, columns the predicted one."""
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    same_length("confusion_matrix", labels=labels, predicted=predicted)
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """One class's row; what has no pictures to be measured on is None.

    precision: of the pictures called this, how many are; None where none was. recall: of those
    that are, how many were found. f1: their harmonic mean. count: pictures of this class. Without
    any all three are None: that every one called this is wrong says nothing but that there is none.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    count: int


def per_class(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of every class, from a `confusion_matrix` (classes, classes)."""
    right, true, called = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassScore(
            label=label,
            precision=ratio(right[k], called[k] if true[k] else 0),
            recall=ratio(right[k], true[k]),
            f1=ratio(2 * right[k], true[k] + called[k] if true[k] else 0),
            count=int(true[k]),
        )
        for k, label in enumerate(classes)
    )


@dataclass(frozen=True)
class Majority:
    """What always naming the commonest class would reach: the share of pictures that are it."""

    label: str
    accuracy: float


def majority(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> Majority | None:
    """Of the commonest true class of `confusion_matrix`, the first of equals; None without any."""
    counts = confusion.sum(axis=1)
    if not counts.sum():
        return None
    most = int(counts.argmax())
    return Majority(classes[most], float(counts[most] / counts.sum()))


def balanced_accuracy(confusion: NDArray[np.int64]) -> float | None:
    """Mean recall of the classes that have pictures: every class counts alike.

    confusion: from `confusion_matrix`, (classes, classes). None without any picture.
    Source: Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010.
    """
    counts = confusion.sum(axis=1)
    there = counts > 0
    return float((np.diag(confusion)[there] / counts[there]).mean()) if there.any() else None


def macro_f1(scores: tuple[ClassScore, ...]) -> float | None:
    """Mean F1 of the classes that have pictures, from `per_class`."""
    values = [score.f1 for score in scores if score.f1 is not None]
    return float(np.mean(values)) if values else None


def ratio(part: float, whole: float) -> float | None:
    """None where nothing was measured."""
    return float(part / whole) if whole else None


def same_length(function: str, **arrays: NDArray) -> None:
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        given = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ShapeError(f"{function}: arrays must have one length; got {given}")
