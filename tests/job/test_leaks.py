from types import SimpleNamespace

import numpy as np
import pytest

from darter.job.leaks import leaks_of
from darter.model import get_task


def material(*, copies=0, alike=(), judged=(10, 11, 12, 13), part="test", task="classify"):
    audit = SimpleNamespace(copies_left_out=copies, alike=dict.fromkeys(alike, 0))
    return SimpleNamespace(audit=audit, judged=(part, judged), task=get_task(task))


def test_no_leak_says_nothing():
    leaks = leaks_of(material(), np.ones(4))
    assert leaks.caution() is None and leaks.note() is None


def test_near_duplicates_in_the_test_are_a_caution_with_the_figure_of_the_others():
    leaks = leaks_of(material(alike=(3, 11, 13)), np.array([1, 1, 0, 1]))
    assert leaks.caution() == (
        "2 of the 4 test pictures are nearly the same as pictures that were learned from, so the "
        "figure flatters, and on the other 2 it is 50.0%"
    )
    assert leaks.to_json() == {
        "copies": 0, "alike": 2, "n": 4, "part": "test", "without": 0.5, "measure": "accuracy",
    }  # fmt: skip


def test_the_figure_of_the_others_is_called_what_it_is():
    leaks = leaks_of(material(alike=(11,), task="multilabel"), np.array([1, 1, 0, 1]))
    assert leaks.caution().endswith("on the other 3 the average precision per picture is 66.7%")


def test_a_test_of_near_duplicates_only_has_no_others():
    leaks = leaks_of(material(alike=(10, 11, 12, 13)), np.ones(4))
    assert leaks.without is None and leaks.caution().endswith("so the figure flatters")


@pytest.mark.parametrize(("copies", "words"), [(1, "1 picture was"), (3, "3 pictures were")])
def test_copies_that_were_left_out_are_noted(copies, words):
    leaks = leaks_of(material(copies=copies), np.ones(4))
    assert leaks.note().startswith(words) and leaks.caution() is None
