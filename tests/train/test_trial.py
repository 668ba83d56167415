from dataclasses import replace

import numpy as np
import pytest
import torch

from darter.train import Trials, start_model
from darter.train.step import Diverged
from darter.transfer import STRATEGIES, TrialCall
from darter.transfer.probe import fit_probe
from tests.train.tiny import ALL, QUICK, tiny_backbone, tiny_pictures, tiny_problem


class Rows:
    """Features of the tiny pictures, as `darter.transfer.features` gives them."""

    def __init__(self, backbone, problem, examples):
        images = torch.from_numpy(problem.preprocess.batch(examples.pictures))
        with torch.no_grad():
            self.values = {n: backbone.read(images, n).numpy() for n in ("last", "all")}

    def read(self, layers):
        return self.values[layers]


@pytest.fixture
def make_trials():
    problem, examples, backbone = tiny_problem(), tiny_pictures(60), tiny_backbone()
    rows = Rows(backbone, problem, examples)

    def make(penalties=None, **entries):
        return Trials(
            lambda strategy, seed: backbone,
            lambda strategy: (problem.augment, problem.preprocess),
            rows,
            examples,
            3,
            QUICK.replace(**entries),
            penalties=penalties,
        )

    return make


@pytest.fixture
def trials(make_trials):
    return make_trials(precision="auto")


TRAIN, HELD_OUT = np.arange(48), np.arange(48, 60)
PROBE = STRATEGIES["linear-probe"]


def call(strategy=ALL, **other):
    return replace(TrialCall(strategy, 0.01, TRAIN, HELD_OUT, epochs=1, seed=0), **other)


@pytest.mark.parametrize("name", ["linear-probe", "linear-probe-all-layers", "fine-tune-all"])
def test_trial_scores_every_held_out_picture(trials, name):
    trial = trials(call(STRATEGIES[name], epochs=6))
    assert trial.correct.shape == (12,) and set(trial.correct) <= {0, 1}
    assert trial.accuracy > 0.5
    assert trial.seconds > 0 and np.isfinite(trial.loss)
    if name == "fine-tune-all":
        assert 0 < trial.pace * 6 * len(TRAIN) < trial.seconds
    else:
        assert trial.pace is None, "a probe has no steps"


def test_trials_do_not_change_the_backbone_and_repeat(trials):
    first = trials(call(epochs=2))
    assert trials.precision == first.precision in ("float32", "bfloat16"), "measured once"
    second = trials(call(epochs=2))
    assert second.loss == first.loss
    assert trials(call(epochs=2, seed=1)).loss != first.loss


@pytest.mark.parametrize("penalties", [None, {"last": 3.0}])
def test_a_trial_does_not_depend_on_those_before_it(make_trials, penalties):
    fresh, used = (make_trials(precision="float32", penalties=penalties) for _ in range(2))
    used(call(learning_rate=0.001, train=TRAIN[:16], held_out=HELD_OUT[:16]))
    used(call(PROBE, train=TRAIN[:24]))
    assert used(call()).loss == fresh(call()).loss


def test_a_probe_that_is_given_its_penalty_bears_it(make_trials):
    free, bound = (make_trials(penalties={"last": each})(call(PROBE)) for each in (0.1, 1e6))
    assert bound.loss == pytest.approx(np.log(3), abs=0.01), "it says nothing"
    assert free.loss < bound.loss


def test_every_trial_computes_with_pytorch_unless_another_is_asked_for(make_trials, monkeypatch):
    computed = []

    def seen(_model, _strategy, recipe, *_arguments, **_options):
        computed.append(recipe.compute)
        raise Diverged("enough")

    monkeypatch.setattr("darter.train.trial.fit", seen)
    for compute in ("auto", "darter"):
        make_trials(compute=compute)(call())
    assert computed == ["pytorch", "darter"]


def test_diverged_trial_is_all_wrong(trials, monkeypatch):
    def diverge(*_arguments, **_options):
        raise Diverged("the loss became nan")

    monkeypatch.setattr("darter.train.trial.fit", diverge)
    trial = trials(call(learning_rate=0.1))
    assert not trial.correct.any() and trial.loss == np.inf


def test_head_starts_as_the_probe():
    problem, examples, backbone = tiny_problem(), tiny_pictures(60), tiny_backbone()
    rows = Rows(backbone, problem, examples).read("last")
    probe = fit_probe(rows, examples.targets, 3, l2=0.1)
    model = start_model(backbone, ALL, 3, probe, seed=0).eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(problem.preprocess.batch(examples.pictures))).numpy()
    np.testing.assert_allclose(logits, probe.logits(rows), atol=1e-4)
    assert model.net is not backbone.net
