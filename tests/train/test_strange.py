"""A file's second output, and the threshold from which a picture is foreign."""

import numpy as np
import pytest

from darter.model import Calibration, ModelInfo, load
from darter.noise import Ensemble, fit_novelty
from darter.train import Recipe, export, features_of, measure_strangeness
from darter.train.strange import auroc
from tests.train.tiny import tiny_model, tiny_problem


def rows(count, shift, seed):
    return np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32) + shift


def test_the_threshold_keeps_what_it_promises():
    own = rows(1200, 1.0, 0)
    found = measure_strangeness(own[:200], np.zeros(200), own[200:700])
    assert 0.955 <= found.kept <= 0.985 and found.refused is None
    again = measure_strangeness(own[:200], np.zeros(200), own[700:])
    assert abs(found.above - again.above) < 0.05


def test_strangers_move_the_threshold():
    own, strange = rows(700, 1.0, 0), rows(300, -1.0, 1)
    found = measure_strangeness(own[:200], np.zeros(200), own[200:], strange)
    assert found.refused > 0.95 and found.kept >= 0.9
    assert found.auroc["feature distance"] > 0.99
    near = measure_strangeness(own[:200], np.zeros(200), own[200:], rows(300, 1.0, 2))
    assert near.kept >= 0.9 and near.auroc["feature distance"] == pytest.approx(0.5, abs=0.06)


def test_auroc_counts_ties_half():
    assert auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == 0.875


@pytest.mark.parametrize("members", [1, 2])
def test_the_file_gives_logits_and_novelty(tmp_path, members):
    problem = tiny_problem()
    models = [tiny_model(seed=k).eval() for k in range(members)]
    model = Ensemble(models) if members > 1 else models[0]
    learned = features_of(model, problem.train.pictures, problem.preprocess, Recipe())
    assert learned.shape == (40, 16)
    info = ModelInfo(("a", "b", "c"), problem.preprocess, Calibration(unknown_above=1e-4))
    known = fit_novelty(learned, problem.train.targets)
    parity = export(model, tmp_path / "m.onnx", info, problem.val.pictures, known=known)
    assert parity.passed and parity.runtimes[0] == "darter"
    session = load(tmp_path / "m.onnx", threads=1)
    own = list(session.predict([p.pixels for p in problem.train.pictures[:5]]))
    assert all(answer.novelty < 1e-4 and not answer.unknown for answer in own)
    other = list(session.predict([np.full((16, 16, 3), 255, np.uint8)]))
    assert other[0].unknown and other[0].label is None and "novelty" in other[0].to_json()
    images = problem.preprocess.batch(problem.val.pictures)
    assert session.rows(images).shape == (12, 4) and session.logits(images).shape == (12, 3)
