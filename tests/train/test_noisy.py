"""A recipe's noise in training: inserted, on in steps, off in validation."""

import numpy as np
import pytest
import torch

from darter.noise import DropConnectLinear, StochasticDepth
from darter.train.noisy import add_noise, block_of, counts
from darter.transfer import STRATEGIES
from tests.train.tiny import ALL, QUICK, tiny_model, tiny_problem, train

NOISY = {
    "dropconnect": 0.5,
    "dropconnect_convolutions": 0.2,
    "spatial_dropout": 0.2,
}


def logits(fitted, problem):
    images = problem.preprocess.batch(problem.val.pictures)
    with torch.no_grad():
        return fitted.model(torch.from_numpy(images)).numpy()


@pytest.mark.parametrize("name", NOISY)
def test_noise_changes_training_and_not_the_answers(problem, name):
    plain = train(tiny_model(), problem)
    noisy = train(tiny_model(), problem, QUICK.replace(**{name: NOISY[name]}))
    again = train(tiny_model(), problem, QUICK.replace(**{name: NOISY[name]}))
    assert not np.array_equal(noisy.val_logits, plain.val_logits)
    np.testing.assert_array_equal(noisy.val_logits, again.val_logits)
    np.testing.assert_allclose(logits(noisy, problem), noisy.val_logits, atol=1e-5)


def test_dropconnect_takes_the_place_of_the_heads_dropout(problem):
    fitted = train(tiny_model(), problem, QUICK.replace(dropconnect=0.5))
    assert isinstance(fitted.model.linear, DropConnectLinear) and fitted.model.dropout.p == 0
    both = train(tiny_model(), problem, QUICK.replace(dropconnect=0.5, dropout=0.3))
    assert both.model.dropout.p == 0.3


def test_what_finds_no_place_is_said(problem):
    fitted = train(tiny_model(), problem, QUICK.replace(stochastic_depth=0.2))
    assert any("stochastic_depth does nothing here: tiny has no" in why for why in fitted.plan.why)


def test_only_blocks_that_learn_get_noise():
    model = tiny_model()
    last = STRATEGIES["fine-tune-last"]
    add_noise(model, last, QUICK.replace(dropconnect_convolutions=0.2))
    kinds = [type(m).__name__ for m in (model.net.stem[0], model.net.top[0])]
    assert kinds == ["Conv2d", "DropConnectConv2d"]
    assert block_of(model, ("top.0", "top.1")) is model.net.top
    assert block_of(model, ("stem.0",)) is model.net.stem[0]


def test_residual_branches_of_the_default_net():
    from darter.transfer import Classifier
    from darter.transfer.zoo import _create_timm, build

    half = (0.5,) * 3
    net = build("lite", _create_timm("tf_efficientnet_lite0"), "random", 64, 64, half, half)
    model = Classifier(net, 3)
    notes = add_noise(model, ALL, QUICK.replace(stochastic_depth=0.2))
    rates = [m.p for m in model.modules() if isinstance(m, StochasticDepth)]
    assert not notes and len(rates) == 9 and max(rates) == 0.2, "its blocks with a shortcut"


def test_swa_averages_the_last_steps_alike():
    assert [counts(QUICK.replace(swa=0.25), k, 8) for k in range(8)] == [False] * 6 + [True] * 2
    problem = tiny_problem()
    swa = train(tiny_model(), problem, QUICK.replace(swa=0.5, recompute_norms="after"))
    ema = train(tiny_model(), problem)
    assert not np.array_equal(swa.val_logits, ema.val_logits)
    np.testing.assert_allclose(logits(swa, problem), swa.val_logits, atol=1e-5)


def test_norms_are_refitted_before_or_after(problem):
    kept = train(tiny_model(), problem)
    for when in ("before", "after"):
        fitted = train(tiny_model(), problem, QUICK.replace(recompute_norms=when))
        mean = fitted.model.net.stem[1].running_mean
        assert not torch.equal(mean, kept.model.net.stem[1].running_mean)
        np.testing.assert_allclose(logits(fitted, problem), fitted.val_logits, atol=1e-5)


def test_a_soup_is_never_worse_and_survives_a_resume(problem, tmp_path):
    recipe = QUICK.replace(soup=3, patience=100, epochs=6, ema=0)
    alone = train(tiny_model(), problem, recipe.replace(soup=0))
    whole = train(tiny_model(), problem, recipe)
    assert whole.val_accuracy >= alone.val_accuracy
    assert "a soup of" in whole.plan.why[-1]
    train(tiny_model(), problem, recipe, out=tmp_path)
    resumed = train(tiny_model(), problem, recipe, out=tmp_path, resume=True)
    np.testing.assert_array_equal(resumed.val_logits, whole.val_logits)
