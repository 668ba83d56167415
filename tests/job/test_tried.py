"""Which of the nets that were made for a wish is kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darter.job.tried import Made, Tried, best

PICTURES = 37


def made(name, *, wrong=(), divergence=0.0, ms=1.0, met=True):
    right = np.ones(PICTURES)
    right[list(wrong)] = 0
    row = Tried(name, "", 224, ms, 0, float(right.mean()), divergence, met=met)
    return Made(None, row, right)


def kept(*nets):
    return best(nets).row.way


def test_answers_that_moved_less_are_worth_one_picture():
    """One of 37 is no evidence; four times the divergence is."""
    near = made("240 pixels", wrong=[3], divergence=0.009)
    far = made("176 pixels", divergence=0.039)
    assert kept(near, far) == kept(far, near) == "240 pixels"


def test_but_not_several():
    near = made("near", wrong=[3, 5, 9], divergence=0.009)
    assert kept(near, made("far", divergence=0.039)) == "far"


def test_pictures_that_both_lose_do_not_count():
    near = made("near", wrong=[1, 2, 3, 4], divergence=0.1)
    assert kept(near, made("far", wrong=[1, 2, 3], divergence=0.2)) == "near"


def test_the_wish_comes_first_then_what_is_nearest_to_it():
    late = made("late", ms=2.0, met=False)
    assert kept(late, made("met", wrong=range(20), divergence=1.0)) == "met"
    later = made("later", ms=3.0, met=False)
    assert kept(later, made("late", wrong=range(20), ms=2.0, met=False)) == "late"


def test_of_one_net_before_and_after_teaching_the_better_is_kept_whether_or_not_the_wish_is_met():
    for met in (True, False):
        before, after = (made(name, divergence=d, met=met) for name, d in (("b", 0.1), ("a", 0.2)))
        assert kept(after, before) == "b"


@given(st.lists(st.tuples(st.sets(st.integers(0, 36)), st.floats(0, 1)), min_size=1, max_size=5))
def test_the_one_that_is_kept_is_as_good_as_the_most_accurate(given):
    nets = [made(str(k), wrong=w, divergence=d) for k, (w, d) in enumerate(given)]
    top = max(nets, key=lambda net: net.row.score)
    lost = top.right - best(nets).right
    assert lost.mean() <= lost.std(ddof=1) / np.sqrt(PICTURES) + 1e-9


def test_a_single_picture():
    one, other = (
        Made(None, made(n, divergence=d).row, np.ones(1)) for n, d in (("a", 1), ("b", 2))
    )
    assert best([one, other]) is one
