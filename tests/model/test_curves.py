import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from darter.model.curves import (
    average_precision,
    every_precision_recall,
    precision_recall,
    threshold_curve,
)

answers = st.lists(st.tuples(st.floats(0, 1, width=16), st.booleans()), min_size=1, max_size=60)


@given(answers)
def test_precision_recall_equals_sklearn(rows):
    scores, true = np.array([s for s, _ in rows]), np.array([t for _, t in rows])
    curve = precision_recall("ant", scores, true)
    if not true.any():
        assert curve is None and average_precision(scores, true) is None
        return
    precision, recall, cut = precision_recall_curve(true, scores)
    expected = np.stack([cut, precision[:-1], recall[:-1]], axis=1)[::-1]
    np.testing.assert_allclose(np.array(curve.points), expected, atol=1e-12)
    assert curve.average_precision == pytest.approx(average_precision_score(true, scores))
    assert average_precision(scores, true) == pytest.approx(curve.average_precision)


@given(answers)
def test_threshold_curve_by_brute_force(rows):
    points = threshold_curve([s for s, _ in rows], [t for _, t in rows])
    assert len(points) == 101
    for point in points:
        known = [right for sure, right in rows if sure >= point.threshold]
        assert point.answered == pytest.approx(len(known) / len(rows))
        assert point.accuracy == (pytest.approx(np.mean(known)) if known else None)


def test_long_curves_are_thinned_and_keep_their_ends():
    rng = np.random.default_rng(0)
    scores, true = rng.random((5000, 100)), rng.random((5000, 100)) < 0.3
    curves = every_precision_recall([str(k) for k in range(100)], scores, true)
    assert len(curves) == 100
    for k, curve in enumerate(curves):
        assert len(curve.points) == 30
        assert curve.points[0][0] == scores[:, k].max() and curve.points[-1][2] == 1
        assert curve.average_precision == pytest.approx(average_precision(scores[:, k], true[:, k]))


def test_without_pictures_there_are_no_curves():
    assert threshold_curve([], []) == ()
