"""One function over looks, noisy layers and models, on modules and on sessions."""

import numpy as np
import pytest
import torch
from torch import nn

from darter.errors import OptionError
from darter.model import load, softmax
from darter.noise import DropConnectLinear, fit_weights, marginal, marginalize, parse_sources
from darter.picture import Preprocess, make_look
from tests.tiny_models import PLAIN, darter_model

LOOK = Preprocess(8, 8, mean=(0, 0, 0), std=(1, 1, 1))


def pictures(count=5, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (20, 30, 3), np.uint8) for _ in range(count)]


def net(drop=nn.Identity, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), drop(), nn.Linear(12, 3)).eval()


@torch.no_grad()
def by_hand(model, images):
    return model(torch.from_numpy(images)).numpy()


def test_nothing_to_average_over_is_the_plain_answer():
    model = net()
    found = marginalize(model, pictures(), preprocess=LOOK)
    plain = by_hand(model, LOOK.batch(pictures()))
    np.testing.assert_allclose(found.mean, softmax(plain), atol=1e-6)
    np.testing.assert_allclose(softmax(found.logits), found.mean, atol=1e-12)
    assert found.samples == 1 and not found.spread.any()
    np.testing.assert_allclose(found.mutual_information, 0, atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_views_are_averaged_per_picture_whatever_the_batch(batch_size):
    model, look = net(), make_look(["views:10x2", "flip"], LOOK)
    found = marginalize(
        model, pictures(), ["views:10x2", "flip"], preprocess=LOOK, batch_size=batch_size
    )
    each = np.stack([softmax(by_hand(model, look(picture))) for picture in pictures()])
    np.testing.assert_allclose(found.mean, each.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.spread, each.std(axis=1), atol=1e-6)
    assert found.samples == 22


def test_a_session_gives_what_a_module_gives(tmp_path):
    session = load(darter_model(tmp_path / "m.onnx"), threads=1)

    def logits(x):
        return session.logits(x)

    own = marginalize(session, pictures(), ["flip", "views:5x2"])
    other = marginalize(logits, pictures(), ["flip", "views:5x2"], preprocess=PLAIN)
    np.testing.assert_array_equal(own.mean, other.mean)
    answers = session.predict(pictures(), over=("flip", "views:5x2"), top=3)
    for answer, row in zip(answers, own.mean, strict=True):
        given = dict(answer.top)
        np.testing.assert_allclose([given[name] for name in session.info.classes], row, atol=1e-9)


def test_dropout_is_sampled_and_its_draws_come_back():
    model = net(lambda: nn.Dropout(0.5))
    state = torch.random.get_rng_state()
    one = marginalize(model, pictures(), ["dropout:32"], preprocess=LOOK)
    assert torch.equal(torch.random.get_rng_state(), state), "torch's own numbers are untouched"
    two = marginalize(model, pictures(), ["dropout:32"], preprocess=LOOK)
    np.testing.assert_array_equal(one.mean, two.mean)
    assert one.samples == 32 and one.spread.min() > 0 and not model.training
    assert (one.mutual_information > 0).all() and (one.mutual_information <= one.entropy).all()
    other = marginalize(model, pictures(), ["dropout:32"], preprocess=LOOK, seed=99)
    assert not np.array_equal(one.mean, other.mean)


def test_batch_norms_keep_their_statistics_while_dropout_is_on():
    model = nn.Sequential(nn.BatchNorm2d(3), net(lambda: nn.Dropout(0.5))).eval()
    before = model[0].running_mean.clone()
    marginalize(model, pictures(), ["dropout:4"], preprocess=LOOK)
    assert torch.equal(model[0].running_mean, before)


def test_dropconnect_and_its_gaussian_agree_on_average():
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), DropConnectLinear(12, 3, p=0.3))
    sampled = marginalize(model.eval(), pictures(2), ["dropconnect:900"], preprocess=LOOK)
    drawn = marginalize(model, pictures(2), ["dropconnect-gaussian:900"], preprocess=LOOK)
    np.testing.assert_allclose(sampled.mean, drawn.mean, atol=0.02)
    np.testing.assert_allclose(sampled.spread, drawn.spread, atol=0.02)
    assert not np.array_equal(sampled.mean, drawn.mean) and not model[2].gaussian


def test_models_looks_and_draws_all_together():
    """Samples run models first, then draws, then looks; weights pick them out."""
    models = [net(lambda: nn.Dropout(0.5), seed) for seed in range(3)]
    over = ["models", "flip", "dropout:4"]
    found = marginalize(models, pictures(), over, preprocess=LOOK)
    assert found.samples == 3 * 4 * 2
    weights = np.zeros((3, 4, 2))
    weights[1] = 1
    second = marginalize(models, pictures(), over, preprocess=LOOK, weights=weights.ravel())
    alone = marginalize(models[1], pictures(), over[1:], preprocess=LOOK)
    np.testing.assert_allclose(second.mean, alone.mean, atol=1e-12)


def test_unreadable_pictures_are_listed(tmp_path):
    found = marginalize(net(), [*pictures(2), tmp_path / "no.jpg"], preprocess=LOOK)
    assert len(found.mean) == 2 and found.unreadable[0][0].endswith("no.jpg")


def test_mutual_information_is_the_doubt_that_comes_from_disagreement():
    sure = np.array([[[9.0, -9.0]], [[-9.0, 9.0]]])  # two samples, sure of opposite answers
    found = marginal(sure)
    np.testing.assert_allclose(found.mean, [[0.5, 0.5]])
    np.testing.assert_allclose([found.entropy, found.mutual_information], np.log(2), atol=1e-3)
    torn = marginal(np.zeros((2, 1, 2)))  # both undecided: all doubt, no disagreement
    np.testing.assert_allclose(torn.entropy, np.log(2))
    np.testing.assert_allclose(torn.mutual_information, 0, atol=1e-12)


def test_several_labels_average_sigmoids():
    logits = np.array([[[2.0, -1.0]], [[0.0, 3.0]]])
    found = marginal(logits, task="multilabel")
    np.testing.assert_allclose(found.mean, (1 / (1 + np.exp(-logits))).mean(axis=0))
    np.testing.assert_allclose(1 / (1 + np.exp(-found.logits)), found.mean)


def test_the_mean_of_logits_is_the_geometric_mean():
    logits = np.random.default_rng(0).normal(size=(4, 6, 3))
    found = marginal(logits, average="logits")
    np.testing.assert_allclose(found.mean, softmax(logits.mean(axis=0)))


def test_weights_go_to_samples_that_know_better():
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 400)
    good = 3 * np.eye(3)[targets] + random.normal(size=(400, 3))
    logits = np.stack([good, random.normal(size=(400, 3)) * 3, good + random.normal(size=(400, 3))])
    weights = fit_weights(logits, targets)
    assert abs(weights.sum() - 1) < 1e-12 and weights[1] < 0.05 < weights[2]
    equal = marginal(logits).mean[np.arange(400), targets]
    learned = marginal(logits, weights=weights).mean[np.arange(400), targets]
    assert np.log(learned).mean() > np.log(equal).mean()
    same = fit_weights(np.stack([good, good]), targets)
    np.testing.assert_allclose(same, 0.5, atol=1e-9)


@pytest.mark.parametrize(
    "over, words",
    [
        (["dropout:4"], "no layer that drops"),
        (["dropout"], "number of draws"),
        (["dropout:2", "dropconnect:3"], "one number of draws"),
        (["ensemble"], "choose of views:10x5"),
    ],
)
def test_mistakes_are_sentences(over, words):
    with pytest.raises(OptionError, match=words):
        marginalize(net(), pictures(1), over, preprocess=LOOK)


def test_what_is_missing_is_said(tmp_path):
    session = load(darter_model(tmp_path / "m.onnx"), threads=1)
    with pytest.raises(OptionError, match="this file holds no noise to draw"):
        marginalize(session, pictures(1), ["dropout:4"])
    with pytest.raises(OptionError, match="needs preprocess"):
        marginalize(net(), pictures(1))
    with pytest.raises(OptionError, match="2 models were given"):
        marginalize([net(), net()], pictures(1), preprocess=LOOK)
    with pytest.raises(OptionError, match="there are no pictures"):
        marginalize(net(), [], preprocess=LOOK)


def test_sources_by_name():
    found = parse_sources(["views:10x5", "dropout:16", "dropconnect-gaussian:16", "models"])
    assert found.looks == ("views:10x5",) and found.kept_on == ("dropout", "dropconnect")
    assert found.draws == 16 and found.gaussian and found.models
