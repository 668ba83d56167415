"""Which steps of a compiled training go over a batch together."""

import torch
from torch import nn

from darter.train import compiled
from darter.train.compiled.chains import MOST_WHOLE_FLOATS, Item, Ref, chains_of

LARGE = MOST_WHOLE_FLOATS // 4  # floats of an image, so that five are many


def step(x, y, whole=None):
    return Item("step", (), (x,), (y,), whole=whole)


def test_large_maps_go_by_an_image_at_a_time_beside_layers_that_want_the_batch():
    picture, mask, a, b, large = Ref(LARGE), Ref(LARGE), Ref(64), Ref(64), Ref(LARGE)
    steps = [step(picture, a), step(a, b, whole=True), step(b, large), step(large, mask)]
    parts = [(c.whole, len(c.items)) for c in chains_of(steps, [], 5)]
    assert parts == [(False, 1), (True, 1), (False, 2)]
    parts = [(c.whole, len(c.items)) for c in chains_of(steps, [], 4)]
    assert parts == [(True, 4)]


def test_sums_over_the_batch_are_no_maps():
    sums = Ref(100 * MOST_WHOLE_FLOATS, fixed=True)
    (chain,) = chains_of([step(sums, Ref(64)), step(Ref(64), Ref(64), whole=True)], [], 5)
    assert chain.whole


def test_large_maps_before_large_filters_take_half_the_memory_in_16_bits():
    net = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(64, 320, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    narrow = compiled(net.train(), torch.zeros(8, 3, 224, 224), precision="bfloat16")
    wide = compiled(net, torch.zeros(8, 3, 224, 224))
    floats = [n.segments[0].plan(8).scheduled.floats for n in (narrow, wide)]
    assert floats[0] < 0.6 * floats[1]
