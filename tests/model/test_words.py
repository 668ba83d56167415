import numpy as np

from darter.model import evaluate


def labelled(right, wrong, *, sure=4.0):
    """Two classes: right[k], wrong[k] pictures of class k are answered so, equally sure."""
    truth, logits = [], []
    for k, (hits, misses) in enumerate(zip(right, wrong, strict=True)):
        truth += [k] * (hits + misses)
        logits += [sure * np.eye(2)[k]] * hits + [sure * np.eye(2)[1 - k]] * misses
    return evaluate(np.array(logits), truth, ("ant", "bee"))


def test_the_rate_of_the_commonest_class_is_no_success():
    found = labelled((90, 0), (0, 10))
    assert (found.accuracy, found.balanced_accuracy, found.majority.accuracy) == (0.9, 0.5, 0.9)
    assert found.caution == (
        "No clear success: always naming the commonest class (ant) would be right for 90.0%"
    )
    assert found.to_json()["majority"] == {"label": "ant", "accuracy": 0.9}


def test_less_than_the_commonest_class_is_worse_than_no_model():
    assert labelled((70, 5), (20, 5)).caution.startswith("Worse than no model")


def test_few_pictures_may_have_been_luck():
    assert labelled((7, 7), (3, 3)).caution.startswith("No clear success")  # 48–85%
    assert labelled((70, 70), (30, 30)).caution is None


def test_an_accuracy_that_the_common_class_lifts_says_so():
    found = labelled((880, 60), (20, 40))
    assert "lift this figure" in found.caution and "78.9%" in found.caution


def test_one_class_alone_shows_nothing():
    assert "cannot show" in labelled((5, 0), (0, 0)).caution


def test_confidence_is_never_said_to_agree_where_it_is_far_off():
    few = labelled((8, 7), (2, 3), sure=2.0)  # says 88.1%, right for 75.0%: chance gives as much
    assert few.ece > 0.12
    assert "too few pictures to tell" in few.confidence_says
    many = labelled((800, 700), (200, 300), sure=2.0)
    assert many.confidence_says.endswith("overconfident")
    honest = labelled((880, 880), (120, 120), sure=2.0)
    assert "can be believed" in honest.confidence_says
    assert honest.calibration_error.interval[1] < 0.05


def test_two_errors_that_cancel_are_still_errors():
    logits = np.concatenate([[[3.0, 0.0]] * 500, [[0.5, 0.0]] * 500])
    truth = [0] * 350 + [1] * 150 + [0] * 430 + [1] * 70
    assert "too sure in one range" in evaluate(logits, truth, ("ant", "bee")).confidence_says
