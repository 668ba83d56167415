"""The distance to the nearest training picture in the features of the net."""

import numpy as np
import torch

from darter.noise import Novelty, fit_novelty


def rows(count, dim=8, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def test_it_is_one_minus_the_largest_cosine():
    known, seen = rows(30), rows(5, seed=1)
    found = Novelty(fit_novelty(known, np.zeros(30)))(torch.from_numpy(seen))
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    cosine = seen @ unit.T / np.linalg.norm(seen, axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, 0], 1 - cosine.max(axis=1), atol=1e-6)


def test_a_training_picture_is_not_new_however_bright():
    known = rows(30) + 3  # all on one side
    novelty = Novelty(fit_novelty(known, np.zeros(30)))
    np.testing.assert_allclose(novelty(torch.from_numpy(3 * known)), 0, atol=1e-6)
    assert (novelty(torch.from_numpy(-known)) > 0.2).all()
    assert torch.isfinite(novelty(torch.zeros(1, 8))).all()


def test_of_many_pictures_every_kind_keeps_its_share():
    strata = np.arange(1000) // 900  # 900 of one kind, 100 of another
    marked = rows(1000)
    marked[:, 0] = np.where(strata, 1e6, -1e6)
    kept = fit_novelty(marked, strata, most=50)
    assert len(kept) == 50 and (kept[:, 0] > 0).sum() == 5
