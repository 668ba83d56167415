"""Nets that were rewritten are made again from their weights alone."""

import pytest
import torch
from torch import nn

from darter.arrange import divergence, prune, rebuilt
from darter.arrange.candidates import untrained
from darter.arrange.kinds import KINDS, LINEAR_KINDS
from darter.arrange.rebuild import replacer


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.ReLU(),
        nn.Conv2d(32, 48, 5, stride=2, padding=2, bias=False), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 5),
    ).eval()  # fmt: skip


X = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_split_layers_are_split_again():
    net, made = small_net(), small_net()
    splits = {"5": ("tucker", 12), "9": ("low-rank", 3)}
    for name, (kind, rank) in splits.items():
        layer = made.get_submodule(name)
        replacer(made)(name, untrained((KINDS | LINEAR_KINDS)[kind], layer, rank))
    made[5][-1].bias = nn.Parameter(torch.randn(48))  # as a fit adds one
    for value in made.parameters():
        value.add_(torch.randn_like(value) / 10)
    again = rebuilt(net, splits, made.state_dict())
    torch.testing.assert_close(again(X), made(X), rtol=0, atol=0)
    assert type(net[5]) is nn.Conv2d  # what was given stays


@torch.no_grad()
def test_dropped_channels_stay_dropped():
    pytest.importorskip("torch_pruning")
    with torch.enable_grad():
        smaller = prune(small_net(), X, 0.5)
    again = rebuilt(small_net(), {}, smaller.state_dict())
    torch.testing.assert_close(again(X), smaller(X), rtol=0, atol=0)
    assert again[3].groups == again[3].in_channels == len(again[3].weight) < 32


def test_answers_are_compared_as_their_task_has_it():
    logits, wanted = torch.randn(4, 3), torch.randn(4, 3)
    p, q = wanted.softmax(1), logits.softmax(1)
    torch.testing.assert_close(divergence(logits, wanted), (p * (p / q).log()).sum(1).mean())
    p, q = wanted.sigmoid(), logits.sigmoid()
    each = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(divergence(logits, wanted, several=True), each.sum(1).mean())
    assert divergence(wanted, wanted, several=True) == 0


def test_layers_with_a_padding_of_their_own_are_left_alone():
    class Same(nn.Conv2d):
        pass

    assert "padding of its own" in KINDS["tucker"].refuses(Same(8, 8, 3))
