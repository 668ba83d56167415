"""The learning curve: accuracy against number of training pictures, and what more would buy."""

import math
from collections.abc import Sequence

import numpy as np

from darter.transfer.bench import Bench, stratified
from darter.transfer.records import CurvePoint

POINTS = 5  # the last one is the whole training set; each one before it has half the pictures
_SHARE = 0.1  # of the budget, at most


def learning_curve(bench: Bench, layers: str) -> tuple[CurvePoint, ...]:
    """Cross-validated accuracy of the probe for n, n/2, n/4, … training pictures.

    Each size is drawn once per fold; the standard error covers both draw and held-out pictures.
    """
    whole = len(bench.folds[0][0])
    sizes = [whole >> halvings for halvings in range(POINTS)]
    sizes = [n for n in sizes if n >= 2 * bench.classes] or [whole]
    spent_before = bench.journal.spent
    points = []
    for size in sorted(sizes):
        hits: list[np.ndarray] = []
        for fold, (train, held) in enumerate(bench.folds):
            late = bench.journal.spent - spent_before > _SHARE * bench.budget_seconds
            if hits and late:
                break
            part = stratified(train, bench.kinds, size, bench.seed + fold)
            hits.append(bench.probe(layers, fold, part, held).correct)
        points.append(_point(size, hits))
    return tuple(points)


def _point(size: int, hits: list[np.ndarray]) -> CurvePoint:
    every = np.concatenate(hits)
    accuracy = float(every.mean())
    within = float(every.std() / math.sqrt(len(every)))
    between = 0.0
    if len(hits) > 1:
        between = float(np.std([h.mean() for h in hits], ddof=1) / math.sqrt(len(hits)))
    return CurvePoint(size, accuracy, max(within, between))


def power_law(points: Sequence[CurvePoint]) -> tuple[float, float] | None:
    """(a, b) of error = a * pictures ** -b, fitted to the larger half of the curve; None if the
    curve is too short or has no errors to fit."""
    used = [p for p in points if p.accuracy < 1][-4:]
    if len(used) < 3:
        return None
    x = np.log([p.pictures for p in used])
    y = np.log([1 - p.accuracy for p in used])
    weight = [(1 - p.accuracy) / max(p.standard_error, 1e-6) for p in used]
    slope, level = np.polyfit(x, y, 1, w=weight)
    return float(np.exp(level)), float(max(0.0, -slope))


def advice(points: Sequence[CurvePoint]) -> str:
    """One sentence: is it worth collecting more pictures?"""
    last = points[-1]
    if last.accuracy == 1:
        return (
            "The probe makes no mistake on held-out pictures: more pictures of the same kind can "
            "only show rarer mistakes."
        )
    law = power_law(points)
    if law is None:
        return (
            f"There are too few pictures ({last.pictures}) for a learning curve; collect more, "
            "a hundred per class is a good first goal."
        )
    error = 1 - last.accuracy
    doubled = min(error, error * 2 ** -law[1])
    trend = (
        f"At {last.pictures} training pictures the probe errs on {error:.1%} (± "
        f"{last.standard_error:.1%}); at the curve's trend, twice as many would bring about "
        f"{doubled:.1%}"
    )
    if error - doubled >= max(last.standard_error, 0.1 * error):
        return f"{trend}: more pictures are well worth collecting."
    if error - doubled >= 0.1 * error:
        return f"{trend}: a gain smaller than what this curve can be off by."
    return f"{trend}: more of the same pictures would change little; look at the mistakes instead."
