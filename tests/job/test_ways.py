"""Each way to make a classifier faster, with times that no machine decides."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from darter.arrange import Stopwatch, Tuning
from darter.arrange.cost import Cost
from darter.job.ways import (
    WAYS,
    Wanted,
    fewer_bits,
    fewer_channels,
    pictures_and_layers,
    shown,
    smaller_layers,
    smaller_pictures,
    weights_of,
)
from darter.kernels import BFLOAT16, FLOAT32
from darter.transfer import Classifier, small_net


class ByWeights(Stopwatch):
    def cost(self, layer, shape):
        found = super().cost(layer, shape)
        return Cost(found.weights / 1e6, found.weights, found.multiply_adds)

    def ms(self, graph):
        return 0.0  # nothing is timed


def ms(net, size, precision=FLOAT32, shorter=0.6):
    """As if time went with weights, pixels and bits."""
    bits = shorter if precision == BFLOAT16 else 1.0
    return weights_of(net) / 1e6 * (size / 64) ** 2 * bits


@pytest.fixture
def wanted():
    torch.manual_seed(0)
    net = Classifier(small_net(64), 3).eval()

    def make(share=None, weights=math.inf, any_size=True, bfloat16=False, shorter=0.6):
        most = math.inf if share is None else share * ms(net, 64)
        return Wanted(
            net, 64, torch.rand(8, 3, 64, 64), partial(ms, shorter=shorter),
            lambda net, size, precision: 1.0, most, weights, any_size,
            lambda precision: ByWeights(precision=precision), Tuning(steps=0, norms=False),
            lambda text: None, bfloat16,
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


def test_the_same_net_in_16_bits_where_that_is_enough(wanted):
    asked = wanted(0.6, bfloat16=True)
    made = fewer_bits(asked)
    assert (made.net, made.size, made.precision) == (asked.net, 64, "bfloat16")
    for make in (smaller_pictures, smaller_layers, pictures_and_layers, fewer_channels):
        assert make(asked, BFLOAT16) is None, "nothing else need be changed"
    assert smaller_pictures(asked).precision == "float32"


def test_the_same_net_need_only_be_as_fast_as_wished(wanted):
    asked = replace(wanted(0.6, bfloat16=True, shorter=0.59), aim=0.97)
    assert fewer_bits(asked).net is asked.net
    assert smaller_pictures(asked, BFLOAT16) is None, "no pixel is given up"
    made = smaller_pictures(asked)
    assert ms(made.net, made.size) <= 0.97 * asked.most_ms, "a net that is changed is made faster"


def test_16_bits_are_combined_where_they_are_not_enough(wanted):
    asked = wanted(0.5, bfloat16=True)
    assert fewer_bits(asked) is None
    assert fewer_bits(asked, enough=False).net is asked.net, "the nearest"
    made = smaller_pictures(asked, BFLOAT16)
    assert (made.name, made.precision) == ("bfloat16 and smaller pictures", "bfloat16")
    assert made.size > smaller_pictures(asked).size, "fewer pixels are given up"
    assert asked.fits(made.net, made.size, BFLOAT16) and not asked.fits(made.net, made.size)
    made = smaller_layers(asked, BFLOAT16)
    assert made.splits and made.precision == "bfloat16" and made.size == 64
    assert asked.fits(made.net, 64, BFLOAT16) and not asked.fits(made.net, 64)


@pytest.mark.parametrize(
    "how",
    [
        {"share": 0.5},  # a CPU without it, or a user who named another precision
        {"share": 0.5, "bfloat16": True, "shorter": 1.1},  # a net that it makes slower
        {"weights": 1e5, "bfloat16": True},  # a file has as many bytes
    ],
)
def test_16_bits_are_left_alone_where_they_help_nothing(wanted, how):
    asked = wanted(**how)
    short = [way for way in WAYS if getattr(way, "keywords", {}).get("precision") == BFLOAT16]
    assert len(short) == 4
    assert [make(asked) for make in (fewer_bits, *short)] == [None] * 5
    assert fewer_bits(asked, enough=False) is None


def test_no_layer_is_looked_at_where_it_is_late(wanted):
    asked = replace(wanted(0.6, bfloat16=True, shorter=0.7), until=0.0)
    slow = (smaller_layers, pictures_and_layers)
    assert [make(asked, each) for make in slow for each in (FLOAT32, BFLOAT16)] == [None] * 4
    assert smaller_pictures(asked) is not None, "what takes a moment goes on"
