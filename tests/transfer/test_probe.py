import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from darter.errors import ShapeError
from darter.transfer.probe import STRENGTHS, find_strength, fit_probe, folds_for


def blobs(n, width, classes, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centers = rng.normal(size=(classes, width))
    features = centers[labels] + spread * rng.normal(size=(n, width))
    return (5 + 3 * features).astype(np.float32), labels


@pytest.mark.parametrize("shape", [(200, 12), (40, 300)], ids=["tall", "wide"])
@pytest.mark.parametrize("l2", [0.03, 1.0])
def test_equals_scikit_learns_solution(shape, l2):
    x, y = blobs(*shape, classes=3, seed=0)
    probe = fit_probe(x, y, 3, l2=l2)
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(C=1 / (l2 * len(y)), max_iter=5000, tol=1e-8)
    reference.fit(scaler.transform(x), y)
    expected = reference.decision_function(scaler.transform(x))
    found = probe.logits(x)
    # Logits are compared without their common shift, which leaves probabilities unchanged.
    found, expected = (v - v.mean(axis=1, keepdims=True) for v in (found, expected))
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(4, 60),
    width=st.integers(1, 40),
    classes=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_any_shape_gives_finite_answers(n, width, classes, seed):
    x, y = blobs(n, width, classes, seed)
    x[:, 0] = 1.0  # a constant feature
    probe = fit_probe(x, y, classes, seed=seed)
    assert probe.weight.shape == (classes, width) and probe.weight.dtype == np.float32
    assert np.isfinite(probe.logits(x)).all()
    assert probe.l2 in STRENGTHS


def test_noise_gets_a_strong_penalty_and_clear_classes_a_weak_one():
    x, y = blobs(120, 50, 2, seed=0, spread=0.05)
    noise = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    assert find_strength(noise, y, 2) > find_strength(x, y, 2)


def test_rare_class_is_not_drowned():
    rng = np.random.default_rng(0)
    y = np.array([0] * 190 + [1] * 10)
    x = (rng.normal(size=(200, 4)) + 1.2 * y[:, None]).astype(np.float32)
    found = fit_probe(x, y, 2, l2=0.01).predict(x)
    assert (found[y == 1] == 1).mean() >= 0.7


def test_mirror_images_are_learned_from():
    x, y = blobs(60, 5, 2, seed=1)
    mirrored = x + 4
    plain, both = fit_probe(x, y, 2, l2=0.1), fit_probe(x, y, 2, l2=0.1, mirrored=mirrored)
    assert (both.predict(mirrored) == y).mean() > (plain.predict(mirrored) == y).mean()


def test_wrong_shapes():
    with pytest.raises(ShapeError, match=r"features \(3, 2\) and targets \(4,\)"):
        fit_probe(np.zeros((3, 2)), np.zeros(4, int), 2)


@given(st.lists(st.integers(0, 3), min_size=6, max_size=30), st.integers(1, 5))
def test_folds_hold_out_everything_once_and_groups_whole(groups, most):
    labels = np.arange(len(groups)) % 2
    parts = folds_for(labels, np.array(groups), most, seed=0)
    held = np.concatenate([h for _, h in parts])
    assert sorted(held) == list(range(len(groups)))
    if len(set(groups)) > 1:
        for train, out in parts:
            assert not {groups[i] for i in train} & {groups[i] for i in out}


def test_a_probe_of_several_labels_is_scikit_learns_one_against_rest():
    from sklearn.linear_model import LogisticRegression

    from darter.model import Multilabel

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 6)).astype(np.float32)
    targets = (rows @ rng.normal(size=(6, 4)) + rng.normal(size=(120, 4)) > 0.5).astype(np.float32)
    l2 = 0.1
    probe = fit_probe(rows, targets, 4, task=Multilabel(), l2=l2)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    for k in range(4):
        single = LogisticRegression(C=1 / (l2 * len(rows)), tol=1e-8, max_iter=1000)
        expected = single.fit(scaled, targets[:, k]).decision_function(scaled)
        np.testing.assert_allclose(probe.logits(rows)[:, k], expected, atol=0.02)
