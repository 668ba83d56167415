"""Figures at every threshold, for whoever wants another one than the model's: pure numpy.

A curve with more points than a reader can tell apart is thinned; its ends are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINTS = 101  # of a curve, at most
ALL_POINTS = 3000  # of all classes together, about


@dataclass(frozen=True)
class ThresholdPoint:
    """answered: share of the pictures at least this sure.   accuracy: of those; None of none."""

    threshold: float
    answered: float
    accuracy: float | None


@dataclass(frozen=True)
class PrecisionRecall:
    """One class against all others, its threshold from high to low.

    points: (threshold, precision, recall).   average_precision: see `average_precision`.
    """

    label: str
    average_precision: float
    points: tuple[tuple[float, float, float], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "average_precision": self.average_precision,
            "points": [list(point) for point in self.points],
        }


def threshold_curve(confidence: ArrayLike, correct: ArrayLike) -> tuple[ThresholdPoint, ...]:
    """Accuracy and share of answers where all less sure than 0, 1, …, 100% become "unknown"."""
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    if not len(confidence):
        return ()
    points = []
    for threshold in np.arange(POINTS) / (POINTS - 1):
        known = confidence >= threshold
        right = float(correct[known].mean()) if known.any() else None
        points.append(ThresholdPoint(float(threshold), float(known.mean()), right))
    return tuple(points)


def precision_recall(
    label: str, scores: ArrayLike, true: ArrayLike, most: int = POINTS
) -> PrecisionRecall | None:
    """The curve of one class, of so many points at most; None where no picture has it.

    scores: (n,), higher is more likely.   true: bool (n,).
    """
    scores, true = np.asarray(scores, np.float64), np.asarray(true, bool)
    if not true.any():
        return None
    cut, precision, recall = _ranked(scores, true)
    average = float((np.diff(recall, prepend=0) * precision).sum())
    kept = np.unique(np.linspace(0, len(cut) - 1, min(most, len(cut))).round().astype(int))
    rows = np.stack([cut[kept], precision[kept], recall[kept]], axis=1).tolist()
    return PrecisionRecall(label, average, tuple((c, p, r) for c, p, r in rows))


def every_precision_recall(
    labels: Sequence[str], scores: NDArray, true: NDArray[np.bool_]
) -> tuple[PrecisionRecall, ...]:
    """The curves of all classes that some picture has. scores, true: (n, classes)."""
    most = max(11, min(POINTS, ALL_POINTS // len(labels)))
    columns = zip(labels, scores.T, true.T, strict=True)
    curves = (precision_recall(*column, most=most) for column in columns)
    return tuple(curve for curve in curves if curve is not None)


def average_precision(scores: NDArray, true: NDArray[np.bool_]) -> float | None:
    """Mean of the precisions at each true picture, ranked by score; None without a true picture.

    Pictures of one score count as one step. Source: Everingham et al., "The PASCAL VOC challenge",
    2010, without interpolation.
    """
    if not true.any():
        return None
    _, precision, recall = _ranked(np.asarray(scores), true)
    return float((np.diff(recall, prepend=0) * precision).sum())


def _ranked(scores: NDArray, true: NDArray[np.bool_]) -> tuple[NDArray, NDArray, NDArray]:
    """Thresholds from high to low, one per different score, with precision and recall at each."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    hits = np.cumsum(true[order])[ends]
    return ordered[ends], hits / (ends + 1), hits / true.sum()
