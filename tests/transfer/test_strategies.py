import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from darter.errors import OptionError
from darter.transfer import STRATEGIES, Classifier, parameter_groups, prepare, train_mode
from darter.transfer.strategies import get

TRAINING = [s for s in STRATEGIES.values() if not s.is_probe]


@pytest.fixture
def model(backbone):
    return Classifier(copy.deepcopy(backbone), 3, dropout=0.5)


def test_names_are_the_public_ones():
    assert list(STRATEGIES) == [
        "linear-probe", "linear-probe-all-layers", "fine-tune-last",
        "fine-tune-first", "fine-tune-all", "scratch", "binary",
    ]  # fmt: skip
    assert [s.cost for s in STRATEGIES.values()] == sorted(s.cost for s in STRATEGIES.values())
    with pytest.raises(OptionError, match=r"'fine-tune'.*fine-tune-last"):
        get("fine-tune")


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=lambda s: s.name)
def test_only_the_strategys_parts_learn(model, strategy):
    prepare(model, strategy)
    train_mode(model, strategy)
    groups = parameter_groups(model, strategy, 1e-3, 0.1)
    grouped = {id(p) for g in groups for p in g["params"]}
    learning = {id(p) for p in model.parameters() if p.requires_grad}
    assert grouped == learning
    assert sum(len(g["params"]) for g in groups) == len(grouped)
    assert all((g["weight_decay"] == 0) == (p.dim() <= 1) for g in groups for p in g["params"])
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD(groups)
    loss = model(torch.randn(4, 3, 64, 64)).square().mean()
    loss.backward()
    optimizer.step()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    # The classifier names its parts twice: by itself and inside the backbone.
    allowed = {f"net.{n}" for b in strategy.learning_blocks(model.backbone) for n in b.parameters}
    allowed |= {"head.1.weight", "head.1.bias"}
    statistics = {k for k in moved if "running" in k or "num_batches" in k}
    assert moved - statistics <= allowed
    assert bool(statistics) == (strategy.norm_statistics == "updated")


def test_earlier_blocks_learn_more_slowly(model):
    strategy = STRATEGIES["fine-tune-all"]
    groups = parameter_groups(model, strategy, 1.0, 0.0)
    rates = {g["name"]: g["lr"] for g in groups if "no decay" not in g["name"]}
    assert rates["head"] == rates["top"] == 1.0
    assert rates["stem"] == pytest.approx(strategy.layer_decay ** (len(model.backbone.blocks) - 1))
    assert list(rates.values()) == sorted(rates.values(), reverse=True)


def test_first_and_last_take_opposite_ends(backbone):
    blocks = [b.name for b in backbone.blocks]
    last = [b.name for b in STRATEGIES["fine-tune-last"].learning_blocks(backbone)]
    first = [b.name for b in STRATEGIES["fine-tune-first"].learning_blocks(backbone)]
    assert last == blocks[-len(last) :] and first == blocks[: len(first)]
    assert not set(first) & set(last)


def test_frozen_norms_stay_in_evaluation_mode_and_updated_ones_do_not(model):
    for norms in ("frozen", "updated"):
        strategy = replace(STRATEGIES["fine-tune-all"], norm_statistics=norms)
        train_mode(model, strategy)
        modes = {m.training for m in model.net.modules() if isinstance(m, nn.BatchNorm2d)}
        assert modes == {norms == "updated"}
    assert model.head[0].training


def test_head_starts_where_the_probe_ended(backbone):
    model = Classifier(backbone, 3, layers="all").eval()
    weight, bias = torch.randn(3, backbone.width("all")), torch.randn(3)
    model.set_head(weight, bias)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = backbone.read(x, "all") @ weight.T + bias
        assert torch.allclose(model(x), expected, atol=1e-4)


@pytest.mark.parametrize("strategy", TRAINING, ids=lambda s: s.name)
def test_default_rate_is_one_of_the_raced(strategy):
    assert strategy.default_learning_rate in strategy.learning_rates
    assert list(strategy.learning_rates) == sorted(strategy.learning_rates)
