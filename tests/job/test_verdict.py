import numpy as np
import pytest

from darter.job.verdict import margin, verdict


def test_margin_is_the_paired_difference():
    model = np.array([1, 1, 1, 1, 0], bool)
    baseline = np.array([1, 1, 0, 0, 0], bool)
    found = margin(model, baseline)
    assert found.difference == pytest.approx(0.4)
    assert found.standard_error == pytest.approx(np.std([0, 0, 1, 1, 0]) / 5**0.5)
    assert found.clear


def test_models_that_agree_everywhere_have_no_margin():
    found = margin([True] * 10, [True] * 10)
    assert (found.difference, found.standard_error, found.clear) == (0, 0, False)


@pytest.mark.parametrize(
    ("model", "baseline", "words"),
    [
        (
            [1] * 95 + [0] * 5,
            [1] * 80 + [0] * 20,
            "beat the linear baseline: 95.0% against 80.0%",
        ),
        ([1] * 80 + [0] * 20, [1] * 80 + [0] * 20, "did not clearly beat"),
        ([1] * 60 + [0] * 40, [1] * 80 + [0] * 20, "did worse"),
    ],
)
def test_verdict_says_plainly_what_happened(model, baseline, words):
    found = margin(model, baseline)
    assert words in verdict("fine-tune-all", np.mean(model), np.mean(baseline), found)


def test_verdict_of_the_baseline_itself():
    same = margin([1, 1], [1, 1])
    assert "was kept" in verdict("linear-probe", 0.9, 0.9, same)
    asked = verdict("linear-probe", 0.9, 0.9, same, asked=True)
    assert "as asked for" in asked and "was tried" not in asked
    assert "90" not in asked, "the result stands above it"


def test_verdict_of_a_training_that_had_no_time():
    same = margin([1, 1], [1, 1])
    assert "no time left" in verdict("fine-tune-last", 1.0, 1.0, same, steps=0)
    assert "no time left" not in verdict("fine-tune-last", 1.0, 1.0, same, steps=9)


def test_a_training_that_gained_nothing_is_called_the_baseline_it_is():
    same = [1] * 9 + [0]
    words = verdict("fine-tune-last", 0.9, 0.9, margin(same, same), steps=14, best_epoch=0)
    assert "the linear classifier that it started from" in words


def test_a_caution_is_said_before_any_praise():
    found = margin([1] * 9 + [0], [1] * 8 + [0] * 2)
    words = verdict("fine-tune-all", 0.9, 0.8, found, caution="No clear success: of chance")
    assert words.startswith("No clear success: of chance. ")
