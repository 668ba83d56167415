import numpy as np
import pytest
import torch

from darter.train import Trials, start_model
from darter.train.step import Diverged
from darter.transfer import STRATEGIES
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
def trials():
    problem, examples, backbone = tiny_problem(), tiny_pictures(60), tiny_backbone()
    return Trials(
        lambda strategy, seed: backbone,
        lambda strategy: (problem.augment, problem.preprocess),
        Rows(backbone, problem, examples),
        examples,
        3,
        QUICK.replace(precision="auto"),
    )


TRAIN, HELD_OUT = np.arange(48), np.arange(48, 60)


@pytest.mark.parametrize("name", ["linear-probe", "linear-probe-all-layers", "fine-tune-all"])
def test_trial_scores_every_held_out_picture(trials, name):
    trial = trials(STRATEGIES[name], 0.01, TRAIN, HELD_OUT, 6, 0)
    assert trial.correct.shape == (12,) and set(trial.correct) <= {0, 1}
    assert trial.accuracy > 0.5
    assert trial.seconds > 0 and np.isfinite(trial.loss)
    if name == "fine-tune-all":
        assert 0 < trial.pace * 6 * len(TRAIN) < trial.seconds
    else:
        assert trial.pace is None, "a probe has no steps"


def test_trials_do_not_change_the_backbone_and_repeat(trials):
    first = trials(ALL, 0.01, TRAIN, HELD_OUT, 2, 0)
    assert trials.precision in ("float32", "bfloat16"), "measured once"
    second = trials(ALL, 0.01, TRAIN, HELD_OUT, 2, 0)
    assert second.loss == first.loss
    assert trials(ALL, 0.01, TRAIN, HELD_OUT, 2, 1).loss != first.loss


def test_diverged_trial_is_all_wrong(trials, monkeypatch):
    def diverge(*_arguments, **_options):
        raise Diverged("the loss became nan")

    monkeypatch.setattr("darter.train.trial.fit", diverge)
    trial = trials(ALL, 0.1, TRAIN, HELD_OUT, 3, 0)
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
