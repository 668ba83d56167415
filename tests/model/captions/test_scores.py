"""Scores of sentences: known values, and what must hold for any sentences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("nltk")

from darter.model import (
    Vocabulary,
    ciders,
    compare_sentences,
    corpus_bleu,
    judge_sentences,
    rouge_l,
    words_of,
)

TRUTHS = [("a red cell", "one red cell"), ("two white cells",), ("no cells at all",)]


def test_words():
    assert words_of("A dog’s ball, RED!_x") == ["a", "dog's", "ball", "red", "x"]
    assert words_of("") == []


def test_what_people_wrote_scores_best():
    best = [texts[0] for texts in TRUTHS]
    assert corpus_bleu(TRUTHS, best, 3) == pytest.approx(1)
    assert [rouge_l(t, f) for t, f in zip(TRUTHS, best, strict=True)] == pytest.approx([1, 1, 1])
    found = ciders(TRUTHS, best)
    # Three words have no run of four, and CIDEr is the mean over runs of one to four.
    assert found[1] == pytest.approx(7.5)
    assert found[2] == pytest.approx(10.0)
    assert (ciders(TRUTHS, ["", "red", "white"]) == 0).all()


def test_rouge_by_hand():
    """ "a b c d" and "a c x": two words in order, precision 2/3, recall 1/2, beta 1.2."""
    precision, recall = 2 / 3, 1 / 2
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(["a b c d"], "a c x") == pytest.approx(expected)


def test_cider_by_hand():
    """Two pictures; "x" is in both and weighs nothing, "a" and "b" are in one each."""
    truths = [("a x",), ("b x",)]
    found = ciders(truths, ["a", "x"])
    # Of single words the cosine is 1; the runs of two are missing: a mean of 1/4, times the
    # penalty of a word too few.
    assert found[0] == pytest.approx(10 * 0.25 * np.exp(-1 / 72))
    assert found[1] == 0


sentences = st.lists(st.sampled_from(["a", "b", "c", "dog", "sits"]), max_size=7).map(" ".join)


@given(st.lists(st.tuples(st.lists(sentences, min_size=1, max_size=3), sentences), min_size=1,
                max_size=5))  # fmt: skip
def test_scores_stay_within_their_range(pairs):
    truths, found = [t for t, _ in pairs], [f for _, f in pairs]
    assert ((ciders(truths, found) >= 0) & (ciders(truths, found) <= 10 + 1e-9)).all()
    assert all(0 <= rouge_l(t, f) <= 1 + 1e-12 for t, f in zip(truths, found, strict=True))
    assert 0 <= corpus_bleu(truths, found, 4) <= 1 + 1e-12


@given(sentences, st.integers(1, 9))
def test_a_vocabulary_says_what_it_has_read(sentence, length):
    words = Vocabulary.of([sentence], least=1)
    row = words.numbers(sentence, length)
    assert len(row) == length + 2
    assert words.sentence(row) == " ".join(words_of(sentence)[:length])
    assert words.unknown([sentence, "zebra"]) == (1, len(words_of(sentence)) + 1)


def test_intervals_hold_the_scores():
    judged = judge_sentences(
        TRUTHS * 4, ["a red cell", "two cells", "no cells at all"] * 4, ["x"] * 12
    )
    for name, (low, high) in judged.intervals.items():
        assert low <= judged.scores[name] <= high
    assert judged.scores["exact"] == pytest.approx(2 / 3)


def test_a_small_but_steady_gain_is_seen_on_the_same_pictures():
    random = np.random.default_rng(0)
    words = [f"word{k}" for k in range(40)]
    truths = [(" ".join(random.choice(words, 12)),) for _ in range(40)]
    worse = [t.split()[: random.integers(2, 12)] for (t,) in truths]
    better = [w + t.split()[len(w) : len(w) + 1] for w, (t,) in zip(worse, truths, strict=True)]
    worse, better = ([" ".join(each) for each in found] for found in (worse, better))
    names = [str(k) for k in range(40)]
    apart = [
        judge_sentences(truths, found, names).intervals["rouge_l"] for found in (worse, better)
    ]
    assert apart[1][0] < apart[0][1]  # which two intervals do not tell
    found = compare_sentences(truths, better, worse)["rouge_l"]
    assert 0 < found["interval"][0] < found["difference"] < found["interval"][1]
    same = compare_sentences(truths, worse, worse)
    assert all(each == {"difference": 0, "interval": [0, 0]} for each in same.values())
