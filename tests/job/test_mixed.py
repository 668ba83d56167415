"""Models that start from different nets, in one file."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from darter.errors import OptionError
from darter.job import ensemble
from darter.job.ensemble import check_backbones, weights_of_members
from darter.model import ModelInfo, get_task, load, softmax
from darter.noise import Ensemble
from darter.picture import Preprocess
from darter.train import Recipe, export, start_model
from darter.transfer import STRATEGIES, given_as
from tests.train.tiny import SIZE, TinyNet, tiny_backbone, tiny_problem

OTHER = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}


def other_backbone():
    """Of another width and normalization."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = TinyNet(6).eval()
    return replace(
        tiny_backbone(), name="other", net=net, feature_dim=12, taps={"stem": 6}, **OTHER
    )


def test_a_net_sees_what_it_saw_in_pictures_normalized_for_another():
    own, problem = other_backbone(), tiny_problem()
    adapted = given_as(own, problem.preprocess)
    before = torch.from_numpy(Preprocess(SIZE, SIZE, **OTHER).batch(problem.val.pictures))
    now = torch.from_numpy(problem.preprocess.batch(problem.val.pictures))
    with torch.no_grad():
        torch.testing.assert_close(adapted.read(now, "all"), own.read(before, "all"))
        assert not torch.allclose(own.net(now), own.net(before)), "the other net is left as it was"
    assert list(adapted.net.state_dict()) == list(own.net.state_dict())


def test_a_net_of_one_size_says_so():
    with pytest.raises(OptionError, match="takes pictures of 16×16 pixels only; these are 32×32"):
        given_as(replace(other_backbone(), fixed_size=True), Preprocess(32, 32))


@pytest.mark.parametrize("weights", [(), (0.7, 0.3)])
def test_one_file_holds_nets_that_differ(tmp_path, weights):
    import onnxruntime

    problem, probe = tiny_problem(), STRATEGIES["fine-tune-all"]
    nets = [tiny_backbone(), given_as(other_backbone(), problem.preprocess)]
    models = [start_model(net, probe, 3, None, seed).eval() for seed, net in enumerate(nets)]
    file, info = tmp_path / "m.onnx", ModelInfo(("a", "b", "c"), problem.preprocess)
    parity = export(Ensemble(models, weights=weights), file, info, problem.val.pictures)
    assert parity.passed and parity.max_probability_difference < 1e-5
    images = problem.preprocess.batch(problem.val.pictures)
    with torch.no_grad():
        each = np.stack([softmax(m(torch.from_numpy(images)).numpy()) for m in models])
    wanted = np.tensordot(weights or (0.5, 0.5), each, axes=1)
    np.testing.assert_allclose(softmax(load(file).logits(images)), wanted, atol=1e-5)
    plain = onnxruntime.InferenceSession(str(file)).run(None, {"images": images})[0]
    np.testing.assert_allclose(softmax(plain), wanted, atol=1e-5)


@dataclass
class Found:
    name: str

    def read(self, _layers):
        return self.name


def test_members_take_the_nets_in_turn_with_their_own_features(monkeypatch):
    problem, first = tiny_problem(), tiny_backbone()
    material = SimpleNamespace(pictures=lambda _: [], split=SimpleNamespace(train=()))
    start = SimpleNamespace(
        recipe=Recipe(ensemble=4, ensemble_backbones="other, tiny"),
        backbone=first,
        preprocess=problem.preprocess,
        material=material,
        found=Found("tiny"),
        net=lambda _strategy, _seed: first,
    )
    seen = []

    def features(net, _pictures, look, **_):
        seen.append(look)
        return Found(net.name)

    monkeypatch.setattr(ensemble, "features", features)
    monkeypatch.setattr(ensemble.zoo, "load", lambda _: other_backbone())
    chosen = SimpleNamespace(strategy=STRATEGIES["linear-probe"])
    pairs = [ensemble._net(start, chosen, number, 0) for number in range(3)]
    assert [net.name for net, _ in pairs] == ["other", "tiny", "other"]
    assert [found.name for _, found in pairs] == ["other", "tiny", "other"]
    assert (seen[0].mean, seen[0].size) == (OTHER["mean"], SIZE), "features as its own pictures"
    assert pairs[0][0].mean == problem.preprocess.mean


def test_a_net_that_is_not_there_is_said_before_any_work():
    with pytest.raises(OptionError, match="effnet"):
        check_backbones(Recipe(ensemble=2, ensemble_backbones="effnet_lite7"))
    with pytest.raises(OptionError, match="--ensemble 2 or more"):
        check_backbones(Recipe(ensemble_backbones="auto"))


def test_a_model_that_knows_little_weighs_little_and_equals_weigh_alike():
    task, rng = get_task("classify"), np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    good = 2.0 * np.eye(3)[targets] + rng.normal(0, 1.0, (2, 300, 3))
    assert weights_of_members(task, targets, good) == ()
    noise = rng.normal(0, 3.0, (1, 300, 3))
    first, other = weights_of_members(task, targets, np.concatenate([good[:1], noise]))
    assert first > 0.8 and abs(first + other - 1) < 1e-6
