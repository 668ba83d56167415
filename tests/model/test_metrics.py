import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

from darter.model import metrics


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(case):
    successes, n = case
    low, high = metrics.wilson(successes, n)
    if n == 0:
        assert (low, high) == (0, 1)
        return
    truth = binomtest(successes, n).proportion_ci(method="wilson")
    assert low == pytest.approx(truth.low, abs=1e-12)
    assert high == pytest.approx(truth.high, abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


def test_wilson_published_values():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, no correction).
    assert metrics.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert metrics.wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert metrics.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert metrics.wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


labelled = st.integers(2, 6).flatmap(
    lambda k: st.tuples(
        st.just(k),
        st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=60),
    )
)


@given(labelled)
def test_per_class_equals_sklearn(case):
    classes, pairs = case
    labels, predicted = zip(*pairs, strict=True)
    confusion = metrics.confusion_matrix(labels, predicted, classes)
    for true in range(classes):
        for called in range(classes):
            assert confusion[true, called] == pairs.count((true, called))
    rows = metrics.per_class(confusion, tuple("abcdef"[:classes]))
    expected = precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=np.nan
    )
    for row, precision, recall, f1, count in zip(rows, *expected, strict=True):
        for ours, theirs in ((row.precision, precision), (row.recall, recall), (row.f1, f1)):
            absent = np.isnan(theirs) or not count
            assert ours is None if absent else ours == pytest.approx(theirs)
        assert row.count == count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class that was named but is not there
        balanced = balanced_accuracy_score(labels, predicted)
    assert metrics.balanced_accuracy(confusion) == pytest.approx(balanced)
    there = sorted(set(labels))
    macro = f1_score(labels, predicted, labels=there, average="macro")
    assert metrics.macro_f1(rows) == pytest.approx(macro)
    common = max(labels.count(k) for k in range(classes))
    assert metrics.majority(confusion, tuple("abcdef"[:classes])).accuracy == common / len(labels)


def test_without_pictures_there_is_no_commonest_class():
    nothing = np.zeros((2, 2), np.int64)
    assert metrics.majority(nothing, ("a", "b")) is None
    assert metrics.balanced_accuracy(nothing) is None
    assert metrics.macro_f1(metrics.per_class(nothing, ("a", "b"))) is None


@given(arrays(np.float64, (5, 4), elements=st.floats(-700, 700)), st.floats(0.1, 10))
def test_softmax_is_a_distribution_that_keeps_the_order(logits, temperature):
    p = metrics.softmax(logits, temperature)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (np.take_along_axis(p, logits.argmax(1)[:, None], 1) == p.max(1, keepdims=True)).all()
