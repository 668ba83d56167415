"""Noise put into nets: what is found, what stays, and what survives a copy."""

import copy

import pytest
import torch
from torch import nn

from darter.noise import (
    DropConnectConv2d,
    DropConnectLinear,
    Noise,
    StochasticDepth,
    equip,
    sampling,
    train_noise,
)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.drop_path = nn.Identity()

    def forward(self, x):
        return x + self.drop_path(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(), Block(), Block())
        self.head = nn.Sequential(nn.Dropout(0.0), nn.Linear(4, 2))

    def forward(self, x):
        return self.head(self.blocks(x).mean(dim=(2, 3)))


ALL = Noise(0.5, 0.1, 0.2, 0.3)
X = torch.randn(16, 4, 6, 6, generator=torch.Generator().manual_seed(0))


def equipped(noise=ALL):
    torch.manual_seed(0)
    model = Net().eval()
    return model, equip(noise, head=model.head, blocks=model.blocks)


def test_every_source_finds_its_places_and_the_plain_net_stays():
    torch.manual_seed(0)
    plain = Net().eval()
    model, found = equipped()
    assert found == {
        "dropconnect": 1, "dropconnect_convolutions": 3, "spatial_dropout": 3,
        "stochastic_depth": 3,
    }  # fmt: skip
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in plain.named_parameters()]
    assert torch.equal(model(X), plain(X))
    rates = [block.drop_path.p for block in model.blocks]
    assert rates == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "noise",
    [Noise(dropconnect=0.5), Noise(dropconnect_convolutions=0.3), Noise(spatial_dropout=0.3),
     Noise(stochastic_depth=0.5)],
)  # fmt: skip
def test_each_source_is_noise_in_training(noise):
    model, _ = equipped(noise)
    plain = model(X)
    model.train()
    torch.manual_seed(1)
    first, second = model(X), model(X)
    assert not torch.equal(first, plain) and not torch.equal(first, second)
    assert torch.equal(model.eval()(X), plain)


def test_a_copy_has_noise_of_its_own():
    model, _ = equipped(Noise(spatial_dropout=0.5))
    other = copy.deepcopy(model)
    other.head.train()
    assert torch.equal(model(X), model(X)), "the first stays quiet"
    assert not torch.equal(other(X), other(X))


def test_sampling_reaches_inserted_noise_and_puts_it_back():
    model, _ = equipped()
    plain = model(X)
    for kind in ("dropout", "dropconnect"):
        with sampling(model, [kind], seed=3):
            first = model(X)
        with sampling(model, [kind], seed=3):
            assert torch.equal(model(X), first)
        assert not torch.equal(first, plain) and torch.equal(model(X), plain)


def test_stochastic_depth_leaves_whole_branches_out():
    torch.manual_seed(0)
    branch = torch.ones(4000, 2, 3, 3)
    kept = StochasticDepth(0.25).train()(branch)
    per_picture = kept.flatten(1)
    assert per_picture.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (per_picture.std(dim=1) == 0).all(), "all of a picture's branch or none of it"
    assert abs(kept.mean() - 1) < 0.03
    assert StochasticDepth(0.25).eval()(branch) is branch


def test_branches_wake_up_by_themselves():
    model, _ = equipped(Noise(stochastic_depth=0.5))
    train_noise(model)
    assert not model.training and not torch.equal(model(X), model(X))


def test_layers_of_other_kinds_stay():
    class Odd(nn.Conv2d):
        pass

    model = nn.Sequential(Odd(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Flatten(), nn.Linear(4, 2))
    found = equip(Noise(0.5, 0.5), head=model, blocks=[model])
    assert found["dropconnect"] == 1 and found["dropconnect_convolutions"] == 1
    assert type(model[0]) is Odd
    assert isinstance(model[1], DropConnectConv2d) and isinstance(model[3], DropConnectLinear)
