"""A file's second output, and the threshold from which a picture is foreign."""

import numpy as np
import pytest

from darter.model import Calibration, ModelInfo, load, softmax
from darter.noise import DOUBTS, Ensemble, fit_novelty, marginal
from darter.train import Recipe, Strangeness, export, features_of, measure_strangeness, seen_by
from darter.train import strange as strange_room
from darter.train.strange import Seen, auroc, doubt, gain_interval
from tests.train.tiny import tiny_model, tiny_problem


def rows(count, shift, seed):
    return np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32) + shift


def seen(features, doubt=0.0, models=1):
    """Features, and logits of three classes that are less sure the more doubt there is."""
    rng = np.random.default_rng(len(features))
    sure = 8 * np.eye(3)[rng.integers(0, 3, len(features))] * (1 - doubt)
    return Seen(features, np.repeat(sure[None], models, axis=0).astype(np.float32))


def test_the_threshold_keeps_what_it_promises():
    own = rows(1200, 1.0, 0)
    found = measure_strangeness(own[:200], np.zeros(200), own[200:700])
    assert 0.955 <= found.kept <= 0.985 and found.refused is None
    again = measure_strangeness(own[:200], np.zeros(200), own[700:])
    assert abs(found.above - again.above) < 0.05


def test_strangers_move_the_threshold():
    own, strange = rows(700, 1.0, 0), rows(300, -1.0, 1)
    found = measure_strangeness(own[:200], np.zeros(200), own[200:], seen(strange))
    assert found.refused > 0.95 and found.kept >= 0.9
    assert found.auroc["feature distance"] > 0.99
    near = measure_strangeness(own[:200], np.zeros(200), own[200:], seen(rows(300, 1.0, 2)))
    assert near.kept >= 0.9 and near.auroc["feature distance"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("measure", ["entropy", "confidence"])
def test_doubt_is_chosen_where_it_separates_better(measure):
    own, same = seen(rows(400, 1.0, 0)), seen(rows(200, 1.0, 1), doubt=0.9)
    found = measure_strangeness(rows(200, 1.0, 2), np.zeros(200), own, same)
    assert found.measure in ("entropy", "confidence") and found.auroc[measure] > 0.99
    assert found.refused > 0.99 and found.kept > 0.99
    assert found.auroc["feature distance"] < 0.6 and "better than" in found.why


def test_the_distance_stays_where_no_more_is_proven():
    own, far = seen(rows(60, 1.0, 0), doubt=0.5), seen(rows(30, 0.5, 1), doubt=0.5)
    far.members[:, :1] = 0.0  # one stranger of 30 is doubted
    found = measure_strangeness(rows(200, 1.0, 2), np.zeros(200), own, far)
    assert found.measure == "feature distance"
    assert set(found.auroc) == {"feature distance", "entropy", "confidence"}, "of a single model"


def test_models_that_disagree_tell_strangers():
    rng = np.random.default_rng(0)
    own, strange = seen(rows(200, 1.0, 0), models=3), seen(rows(100, 1.0, 1), models=3)
    for model in strange.members:
        model[:] = rng.permuted(model, axis=1)  # as sure as of own pictures, each of its own answer
    found = measure_strangeness(rows(200, 1.0, 2), np.zeros(200), own, strange)
    assert found.auroc["mutual information"] > 0.9
    assert found.measure in DOUBTS


def test_doubts_are_the_textbook_figures():
    logits = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    given = Seen(np.zeros((5, 1), np.float32), logits)
    plain = marginal(logits)
    np.testing.assert_allclose(doubt(given, "entropy", 1.0), plain.entropy, atol=1e-6)
    np.testing.assert_allclose(
        doubt(given, "mutual information", 1.0), plain.mutual_information, atol=1e-6
    )
    sharper = softmax(plain.logits, 0.5).max(axis=1)
    np.testing.assert_allclose(doubt(given, "confidence", 0.5), 1 - sharper, atol=1e-6)


def test_the_interval_of_a_gain_holds_it():
    rng = np.random.default_rng(0)
    worse = rng.normal(0, 1, 200), rng.normal(0.5, 1, 150)
    better = worse[0], worse[1] + 2
    low, high = gain_interval(worse, better)
    assert 0 < low < auroc(*better) - auroc(*worse) < high
    assert gain_interval(worse, worse) == (0, 0)


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
    known = Strangeness(fit_novelty(learned, problem.train.targets), 1e-4, 1.0)
    parity = export(model, tmp_path / "m.onnx", info, problem.val.pictures, strange=known)
    assert parity.passed and parity.runtimes[0] == "darter"
    session = load(tmp_path / "m.onnx", threads=1)
    own = list(session.predict([p.pixels for p in problem.train.pictures[:5]]))
    assert all(answer.novelty < 1e-4 and not answer.unknown for answer in own)
    other = list(session.predict([np.full((16, 16, 3), 255, np.uint8)]))
    assert other[0].unknown and other[0].label is None and "novelty" in other[0].to_json()
    images = problem.preprocess.batch(problem.val.pictures)
    assert session.rows(images).shape == (12, 4) and session.logits(images).shape == (12, 3)


def test_the_engine_sees_what_pytorch_sees_in_each_group(monkeypatch):
    problem = tiny_problem()
    model = Ensemble([tiny_model(seed=k).eval() for k in range(2)])
    groups = problem.val.pictures, problem.train.pictures[:7]
    plain = seen_by(model, problem.preprocess, Recipe(), *groups)
    monkeypatch.setattr(strange_room, "WRITING_PAYS_FROM", 0)
    monkeypatch.setattr(strange_room, "evaluate", None)
    written = seen_by(model, problem.preprocess, Recipe(), *groups)
    for one, other, group in zip(plain, written, groups, strict=True):
        assert one.features.shape == (len(group), 16) and one.members.shape == (2, len(group), 3)
        np.testing.assert_allclose(other.features, one.features, atol=1e-4)
        np.testing.assert_allclose(other.members, one.members, atol=1e-4)
    alone = seen_by(model, problem.preprocess, Recipe(), groups[1])
    np.testing.assert_allclose(alone[0].members, plain[1].members, atol=1e-5)


@pytest.mark.parametrize("measure", DOUBTS)
def test_the_file_gives_doubt_in_any_runtime_as_it_was_measured(tmp_path, measure):
    import onnxruntime

    problem = tiny_problem()
    model = Ensemble([tiny_model(seed=k).eval() for k in range(2)], weights=(0.7, 0.3))
    pictures = problem.val.pictures
    (found,) = seen_by(model, problem.preprocess, Recipe(), pictures)
    wanted = doubt(found, measure, 0.1)
    limit = float(np.median(wanted))
    info = ModelInfo(
        ("a", "b", "c"), problem.preprocess, Calibration(0.1, unknown_above=limit + 1e-7)
    )
    strange = Strangeness(np.zeros((1, 16), np.float32), limit, 0.5, None, None, measure, 0.1)
    file = tmp_path / "m.onnx"
    export(model, file, info, pictures, strange=strange)
    session, images = load(file, threads=1), problem.preprocess.batch(pictures)
    _, novelty = onnxruntime.InferenceSession(str(file)).run(None, {"images": images})
    np.testing.assert_allclose(novelty[:, 0], wanted, atol=1e-5)
    np.testing.assert_allclose(session.rows(images)[:, -1], wanted, atol=1e-5)
    answers = list(session.predict([p.pixels for p in pictures]))
    clear = np.abs(wanted - limit) > 1e-5
    refused = np.array([a.unknown for a in answers])
    assert (refused == (wanted > limit))[clear].all() and 0 < refused.sum() < len(pictures)
