import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from darter.errors import ShapeError
from darter.model import metrics

confidences = st.floats(0, 1, width=32)
answers = st.lists(st.tuples(confidences, st.booleans()), max_size=80)


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


@given(answers, st.integers(1, 20))
def test_calibration_error_equals_brute_force(rows, bins):
    confidence, correct = [c for c, _ in rows], [right for _, right in rows]
    gap = 0.0
    for k in range(bins):
        low, high = k / bins, (k + 1) / bins
        inside = [r for r in rows if low < r[0] <= high or (k == 0 and r[0] == 0)]
        if inside:
            promised = sum(c for c, _ in inside) / len(inside)
            came_true = sum(right for _, right in inside) / len(inside)
            gap += len(inside) / len(rows) * abs(promised - came_true)
    error = metrics.expected_calibration_error(confidence, correct, bins)
    assert error is None if not rows else error == pytest.approx(gap, abs=1e-9)
    diagram = metrics.reliability(confidence, correct, bins)
    assert sum(row.count for row in diagram) == len(rows)
    assert all((row.accuracy is None) == (row.count == 0) for row in diagram)


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
            assert ours is None if np.isnan(theirs) else ours == pytest.approx(theirs)
        assert row.count == count


@given(arrays(np.float64, (5, 4), elements=st.floats(-700, 700)), st.floats(0.1, 10))
def test_softmax_is_a_distribution_that_keeps_the_order(logits, temperature):
    p = metrics.softmax(logits, temperature)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (np.take_along_axis(p, logits.argmax(1)[:, None], 1) == p.max(1, keepdims=True)).all()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_temperature_is_recovered(temperature):
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (20_000, 5))
    labels = [rng.choice(5, p=p) for p in metrics.softmax(logits)]
    assert metrics.fit_temperature(logits * temperature, labels) == pytest.approx(
        temperature, rel=0.05
    )


@given(
    arrays(np.float64, (12, 3), elements=st.floats(-20, 20)),
    arrays(np.int64, 12, elements=st.integers(0, 2)),
)
def test_temperature_has_the_least_loss(logits, labels):
    n = len(labels)
    target = np.full((n, 3), 1 / (n + 2) / 2)
    target[np.arange(n), labels] = (n + 1) / (n + 2)

    def loss(t):
        shifted = logits / t - (logits / t).max(axis=1, keepdims=True)
        return -(target * (shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))).sum(1).mean()

    fitted = metrics.fit_temperature(logits, labels)
    grid = np.geomspace(*metrics.TEMPERATURES, 200)
    assert loss(fitted) <= min(map(loss, grid)) + 1e-9


def test_few_right_answers_do_not_promise_certainty():
    logits = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    temperature = metrics.fit_temperature(logits, [0, 1, 0])
    assert metrics.softmax(logits, temperature).max() == pytest.approx(4 / 5, abs=1e-6)


@given(st.lists(confidences, min_size=1, max_size=200), st.floats(0.5, 0.999))
def test_threshold_keeps_what_it_promises(right, keep):
    threshold = metrics.choose_unknown_threshold(right, [True] * len(right), keep=keep)
    refused = sum(c < threshold for c in right)
    assert refused <= max(0, (1 - keep) * (len(right) + 1) - 1 + 1e-6)
    assert threshold <= 0.9


def test_threshold_ignores_wrong_answers_and_copes_with_none_right():
    assert metrics.choose_unknown_threshold([0.9, 0.7, 0.1], [True, True, False]) == 0.7
    assert metrics.choose_unknown_threshold([0.4], [False]) == 0.0
    assert metrics.choose_unknown_threshold([], []) == 0.0


def test_coverage():
    assert metrics.coverage([0.9, 0.8, 0.3], [True, False, True], 0.5) == (2 / 3, 0.5)
    assert metrics.coverage([0.1], [True], 0.5) == (0.0, None)
    assert metrics.coverage([], [], 0.5) == (None, None)


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="one length; got confidence"):
        metrics.reliability([0.5], [True, False])
