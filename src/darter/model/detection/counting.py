"""From which score on a thing is counted, and how far the counts are off."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darter.model.detection.average_precision import ClassMatches, Matches

USUAL = 0.3  # where nothing is known of a class
ALMOST = 0.03  # of F1 that right counts are worth


def best_thresholds(matches: Matches) -> tuple[float, ...]:
    """For each class the score from which the counts of single pictures are least off.

    Of scores whose F1 at overlap 0.5 is ALMOST the best: a count may also be right because what is
    missed and what is found wrongly cancel out. USUAL where nothing is there.
    """
    return tuple(_best(each) for each in matches.per_class)


def _best(each: ClassMatches) -> float:
    total = int(each.positives.sum())
    counted = ~each.ignored[0]
    if not total or not each.hits[0][counted].any():
        return USUAL
    scores, hits = each.scores[counted], np.cumsum(each.hits[0][counted])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + total)
    ends = np.append(scores[:-1] > scores[1:], True)
    good = ends & (f1 >= np.where(ends, f1, -1).max() - ALMOST)
    off = _counts_off(each.pictures[counted], each.positives)
    best = int(np.lexsort((-f1, np.where(good, off, np.inf)))[0])
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + below) / 2)


def _counts_off(pictures: NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.int64]:
    """(D,): by how many things the counts are off, summed over pictures, when the first 1, 2, … D
    found things are told.   pictures: (D,), in which each was found."""
    left = there.copy()
    change = np.empty(len(pictures), np.int64)
    for k, picture in enumerate(pictures):  # one more is one nearer, until there are too many
        change[k] = -1 if left[picture] > 0 else 1
        left[picture] -= 1
    return there.sum() + np.cumsum(change)


def counts_at(
    matches: Matches, thresholds: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(pictures, classes) things found from these scores on, and things that are there."""
    found = np.zeros((matches.pictures, len(matches.per_class)), np.int64)
    there = np.stack([each.positives for each in matches.per_class], axis=1)
    for k, (each, least) in enumerate(zip(matches.per_class, thresholds, strict=True)):
        sure = each.pictures[(each.scores >= least) & ~each.ignored[0]]
        found[:, k] = np.bincount(sure, minlength=matches.pictures)
    return found, there


def precision_recall_at(each: ClassMatches, least: float) -> tuple[float | None, float | None]:
    """Of what is found from this score on, the share that is right; of what is there, found."""
    sure = (each.scores >= least) & ~each.ignored[0]
    hits, total = int(each.hits[0][sure].sum()), int(each.positives.sum())
    return (hits / int(sure.sum()) if sure.any() else None), (hits / total if total else None)
