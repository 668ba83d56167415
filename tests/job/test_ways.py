"""Each way to make a classifier faster, with times that no machine decides."""

import math

import pytest
import torch

from darter.arrange import Stopwatch, Tuning
from darter.arrange.cost import Cost
from darter.job.ways import (
    Wanted,
    fewer_channels,
    pictures_and_layers,
    shown,
    smaller_layers,
    smaller_pictures,
    weights_of,
)
from darter.transfer import Classifier, small_net


class ByWeights(Stopwatch):
    def cost(self, layer, shape):
        found = super().cost(layer, shape)
        return Cost(found.weights / 1e6, found.weights, found.multiply_adds)

    def ms(self, graph):
        return 0.0  # nothing is timed


def ms(net, size):
    """As if time went with weights and pixels."""
    return weights_of(net) / 1e6 * (size / 64) ** 2


@pytest.fixture
def wanted():
    torch.manual_seed(0)
    net = Classifier(small_net(64), 3).eval()

    def make(share=None, weights=math.inf, any_size=True):
        most = math.inf if share is None else share * ms(net, 64)
        return Wanted(
            net, 64, torch.rand(8, 3, 64, 64), ms, lambda net, size: 1.0, most, weights, any_size,
            ByWeights(), Tuning(steps=0, norms=False), lambda text: None,
        )  # fmt: skip

    return make


def test_smaller_pictures_are_the_largest_that_fit(wanted):
    made = smaller_pictures(wanted(0.6))
    assert made.size == 48 and made.what == "48×48 pixels"
    assert smaller_pictures(wanted(0.6, any_size=False)) is None
    assert smaller_pictures(wanted(0.01)) is None, "too few pixels to see anything"
    assert smaller_pictures(wanted(weights=1e5)) is None, "it has as many weights as before"


def test_smaller_layers_are_as_wished(wanted):
    asked = wanted(0.5)
    made = smaller_layers(asked)
    assert made.splits and made.size == 64
    assert asked.fits(made.net, made.size) and weights_of(asked.net) > weights_of(made.net)
    asked = wanted(0.4)
    made = pictures_and_layers(asked)
    assert made.size < 64 and made.splits and asked.fits(made.net, made.size)


def test_no_more_channels_are_dropped_than_needed(wanted):
    pytest.importorskip("torch_pruning")
    left = []
    for share in (0.7, 0.5, 0.4, 0.3):
        asked = wanted(share)
        made = fewer_channels(asked)
        assert asked.fits(made.net, made.size), share
        left.append(weights_of(made.net))
    assert left == sorted(left, reverse=True) and left[-1] < left[0]
    assert made.net(torch.rand(2, 3, 64, 64)).shape == (2, 3)
    assert not wanted(0.001).fits(fewer_channels(wanted(0.001)).net, 64), "the nearest"


def test_another_size_shows_the_same_part_of_the_picture():
    x = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    small = shown(x, 32)
    assert small.shape == (1, 3, 32, 32)
    torch.testing.assert_close(small[0, 0, 0, 8:24], torch.linspace(0, 1, 64)[16:48:2] + 0.5 / 63)
    assert shown(x, 64) is x
