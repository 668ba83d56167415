"""Each task against scikit-learn, finite differences, and what it promises of splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import label_ranking_average_precision_score, log_loss

from darter.errors import OptionError
from darter.model import TASKS, get_task

CLASSES = ("ant", "bee", "wasp")
LABELS = {"classify": [("bee",), ("ant",), ("bee",)], "multilabel": [("bee", "ant"), (), ("wasp",)]}


@st.composite
def answers(draw, name):
    """Logits, ties among them, and targets of one task."""
    n, classes = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    logits = draw(arrays.arrays(np.float32, (n, classes), elements=st.integers(-4, 4)))
    if name == "classify":
        return logits, draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    return logits, draw(arrays.arrays(np.float32, (n, classes), elements=st.integers(0, 1)))


def test_targets_of_one_label():
    np.testing.assert_array_equal(
        get_task("classify").targets(LABELS["classify"], CLASSES), [1, 0, 1]
    )


def test_targets_of_several_labels():
    targets = get_task("multilabel").targets(LABELS["multilabel"], CLASSES)
    np.testing.assert_array_equal(targets, [[1, 1, 0], [0, 0, 0], [0, 0, 1]])


@given(answers("classify"))
def test_one_label_is_scored_as_scikit_learn_does(given_):
    logits, targets = given_
    task = get_task("classify")
    every = np.arange(logits.shape[1])
    losses = log_loss(targets, task.probabilities(logits), labels=every, normalize=False)
    assert task.losses(logits, targets).sum() == pytest.approx(losses)
    assert task.rightness(logits, targets).tolist() == (logits.argmax(1) == targets).tolist()


@given(answers("multilabel"))
def test_several_labels_are_scored_as_scikit_learn_does(given_):
    logits, targets = given_
    task = get_task("multilabel")
    expected = label_ranking_average_precision_score(targets, logits)
    assert task.rightness(logits, targets).mean() == pytest.approx(expected)
    p = task.probabilities(logits)
    chance = np.where(targets > 0, p, 1 - p)
    np.testing.assert_allclose(task.losses(logits, targets), -np.log(chance).sum(axis=1))


@pytest.mark.parametrize("name", TASKS)
@given(st.data())
def test_slope_is_the_derivative_of_the_loss(name, data):
    task = get_task(name)
    logits, targets = data.draw(answers(name))
    dense = task.dense(targets, logits.shape[1]).astype(np.float64)
    logits = logits.astype(np.float64)
    step = 1e-6
    _, slope = task.loss_and_slope(logits, dense)
    for k in range(logits.shape[1]):
        moved = logits + step * (np.arange(logits.shape[1]) == k)
        change = task.loss_and_slope(moved, dense)[0] - task.loss_and_slope(logits, dense)[0]
        np.testing.assert_allclose(slope[:, k], change / step, atol=1e-4)


def test_a_picture_belongs_to_its_rarest_label():
    targets = np.float32([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(get_task("multilabel").strata(targets), [1, 0, 2, 3, 1])


def test_an_unknown_task_is_named():
    with pytest.raises(OptionError, match="'segment' is not one of classify, multilabel"):
        get_task("segment")
