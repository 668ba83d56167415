"""Worth it or not: staged answers whose gain is known."""

import numpy as np

from darter.noise import paired_interval, worth_it


def logits(right, seed=0):
    """Two classes; the true one is 0."""
    random = np.random.default_rng(seed)
    return np.where(right, 1.0, -1.0)[:, None] * [1, -1] + random.normal(0, 0.1, (len(right), 2))


N = 400
LABELS = np.zeros(N, np.int64)
PLAIN = np.arange(N) % 5 > 0  # right for 80%
BETTER = PLAIN | (np.arange(N) % 10 == 0)  # another 10% right, none wrong
SHUFFLED = np.roll(PLAIN, 1)  # as often right, elsewhere


def test_what_helps_is_kept_and_what_does_not_is_said_not_to():
    others = {"good": logits(BETTER, 1), "useless": logits(SHUFFLED, 2)}
    found = worth_it("classify", LABELS, logits(PLAIN), others, milliseconds={"good": 50.0})
    plain, good, useless = found.rows
    assert found.kept == "good" and good.kept and good.verdict == "helps"
    assert good.gain == 0.1 and good.interval[0] > 0 and good.better == 40 and good.worse == 0
    assert good.p_value < 1e-6 and good.milliseconds == 50
    assert useless.verdict == "does not help" and not useless.kept and useless.gain == 0
    assert plain.gain is None and found.pictures == N


def test_nothing_is_kept_where_nothing_helps():
    found = worth_it("classify", LABELS, logits(PLAIN), {"useless": logits(SHUFFLED, 2)})
    assert found.kept == "one look" and found.rows[0].kept
    assert "no gain exceeds its error" in found.why


def test_harm_is_called_harm():
    found = worth_it("classify", LABELS, logits(BETTER), {"bad": logits(PLAIN, 1)})
    assert found.rows[1].verdict == "does harm"


def test_honest_confidence_alone_is_told_but_not_kept():
    torn = logits(PLAIN) * np.where(PLAIN, 1, 0.2)[:, None]  # as often right, less sure of mistakes
    found = worth_it("classify", LABELS, logits(PLAIN), {"honest": torn})
    assert "more honest" in found.rows[1].verdict and found.kept == "one look"


def test_the_cheapest_of_equals_is_kept():
    others = {"dear": logits(BETTER, 1), "cheap": logits(BETTER, 2)}
    cost = {"dear": 50.0, "cheap": 2.0}
    assert worth_it("classify", LABELS, logits(PLAIN), others, milliseconds=cost).kept == "cheap"
    kept = worth_it("classify", LABELS, logits(PLAIN), others, keepable=["dear"]).kept
    assert kept == "dear", "what a file cannot hold is not kept"


def test_interval_of_paired_differences_covers_the_truth():
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        differences = random.choice([-1, 0, 1], 150, p=[0.05, 0.8, 0.15])
        low, high = paired_interval(differences, seed=seed)
        covered += low <= 0.1 <= high
    assert 180 <= covered <= 199


def test_one_picture_proves_nothing():
    assert paired_interval([0] * 9 + [1])[0] <= 0
    assert paired_interval([0] * 10) == (0, 0)
