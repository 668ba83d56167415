from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from darter.errors import ShapeError
from darter.model import confidence
from darter.model.metrics import softmax

confidences = st.floats(0, 1, width=32)
answers = st.lists(st.tuples(confidences, st.booleans()), max_size=80)


@given(answers, st.integers(1, 20), st.randoms())
def test_bins_hold_equal_shares_whatever_the_order(rows, bins, random):
    diagram = confidence.reliability([c for c, _ in rows], [right for _, right in rows], bins)
    assert sum(row.count for row in diagram) == len(rows)
    assert len(diagram) <= bins
    most_equal = max((sum(c == other for other, _ in rows) for c, _ in rows), default=0)
    assert all(row.count < len(rows) / bins + 1 + most_equal for row in diagram)
    assert all(one.high < other.low for one, other in pairwise(diagram))
    for row in diagram:
        inside = [(c, right) for c, right in rows if row.low <= c <= row.high]
        assert row.count == len(inside)
        assert row.confidence == pytest.approx(np.mean([c for c, _ in inside]))
        assert row.accuracy == pytest.approx(np.mean([right for _, right in inside]))
    random.shuffle(rows)
    again = confidence.reliability([c for c, _ in rows], [right for _, right in rows], bins)
    assert [row.count for row in again] == [row.count for row in diagram]


@given(answers)
def test_calibration_error_is_the_mean_gap(rows):
    diagram = confidence.reliability([c for c, _ in rows], [right for _, right in rows])
    error = confidence.calibration_error(diagram)
    if not rows:
        assert error is None
        return
    gap = sum(row.count / len(rows) * abs(row.confidence - row.accuracy) for row in diagram)
    assert error.value == pytest.approx(gap)
    low, high = error.interval
    assert 0 <= low <= error.value <= high <= 1
    assert low == 0 or error.proven


@pytest.mark.parametrize("pictures", [20, 150, 1000])
@pytest.mark.parametrize("slope", [1.0, 0.85])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(pictures, slope):
    """Pictures whose chance of being right is slope · confidence, 200 times over."""
    rng = np.random.default_rng(3)
    inside = false_alarms = 0
    for trial in range(200):
        sure = np.clip(rng.beta(8, 1.1, pictures), 0.5, 0.9999)
        diagram = confidence.reliability(sure, rng.random(pictures) < slope * sure)
        error = confidence.calibration_error(diagram, seed=trial)
        truth = (1 - slope) * sure.mean()
        inside += error.interval[0] <= truth <= error.interval[1]
        false_alarms += error.proven
    assert inside / 200 > 0.88
    assert slope < 1 or false_alarms / 200 < 0.1


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_temperature_is_recovered(temperature):
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (20_000, 5))
    labels = [rng.choice(5, p=p) for p in softmax(logits)]
    assert confidence.fit_temperature(logits * temperature, labels) == pytest.approx(
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

    fitted = confidence.fit_temperature(logits, labels)
    grid = np.geomspace(*confidence.TEMPERATURES, 200)
    assert loss(fitted) <= min(map(loss, grid)) + 1e-9


def test_few_right_answers_do_not_promise_certainty():
    logits = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    temperature = confidence.fit_temperature(logits, [0, 1, 0])
    assert softmax(logits, temperature).max() == pytest.approx(4 / 5, abs=1e-6)


@given(st.lists(confidences, min_size=1, max_size=200), st.floats(0.5, 0.999))
def test_threshold_keeps_what_it_promises(right, keep):
    threshold = confidence.choose_unknown_threshold(right, [True] * len(right), keep=keep)
    refused = sum(c < threshold for c in right)
    assert refused <= max(0, (1 - keep) * (len(right) + 1) - 1 + 1e-6)
    assert threshold <= 0.9


def test_threshold_ignores_wrong_answers_and_copes_with_none_right():
    assert confidence.choose_unknown_threshold([0.9, 0.7, 0.1], [True, True, False]) == 0.7
    assert confidence.choose_unknown_threshold([0.4], [False]) == 0.0
    assert confidence.choose_unknown_threshold([], []) == 0.0


def test_coverage_is_of_what_is_known_and_none_without_pictures():
    assert confidence.coverage([0.9, 0.8, 0.3], [True, False, True], 0.5) == (2 / 3, 0.5)
    assert confidence.coverage([0.1], [True], 0.5) == (0.0, None)
    assert confidence.coverage([], [], 0.5) == (None, None)


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="one length; got confidence"):
        confidence.reliability([0.5], [True, False])
