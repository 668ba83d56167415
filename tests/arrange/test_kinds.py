"""Every kind is exact at full rank, and the best of its shape below."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from darter.arrange import KINDS, LINEAR_KINDS, kinds_of

SETTINGS = [  # stride, padding, dilation, groups
    (1, 1, 1, 1), (2, 1, 1, 1), ((2, 1), (0, 2), 1, 1),
    (1, 2, 2, 1), (1, 1, 1, 2), (2, (1, 0), 1, 4),
]  # fmt: skip


def error(layer, parts, x):
    expected, found = layer(x), parts(x)
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("side", [(3, 3), (5, 5), (7, 7), (1, 3), (1, 1)])
def test_exact_at_full_rank(name, how, side):
    stride, padding, dilation, groups = how
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 12, side, stride, padding, dilation, groups)
    kind = KINDS[name]
    if kind.refuses(layer) is not None:
        assert name == "stack" or side == (1, 1)
        return
    if name == "stack" and side == (7, 7):
        layer = nn.Conv2d(2, 4, side, stride, padding, dilation, 1)  # 81 C channels between
    x = torch.randn(2, layer.in_channels, 17, 15)
    assert error(layer, kind.split(layer, kind.full(layer)), x) <= 1e-5


def test_fully_connected_at_full_rank():
    layer = nn.Linear(20, 7)
    kind = LINEAR_KINDS["low-rank"]
    assert error(layer, kind.split(layer, kind.full(layer)), torch.randn(3, 20)) <= 1e-5


@settings(max_examples=25)
@given(st.sampled_from(["channel", "separable", "tucker"]), st.integers(0, 1000))
def test_a_layer_that_is_of_low_rank_is_found_again(name, seed):
    torch.manual_seed(seed)
    layer = nn.Conv2d(8, 8, 3, padding=1)
    small = KINDS[name].split(layer, 3)  # its composition has rank 3
    eye = torch.eye(8)[:, :, None, None]
    delta = torch.nn.functional.pad(eye, (2, 2, 2, 2))
    with torch.no_grad():
        taps = small(delta) - small(torch.zeros_like(delta))  # (C, K, 5, 5), turned around
        layer.weight.copy_(taps[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1))
    again = KINDS[name].split(layer, 3)
    assert error(layer, again, torch.randn(2, 8, 9, 9)) <= 1e-4


def test_lower_ranks_err_more():
    torch.manual_seed(0)
    layer, x = nn.Conv2d(16, 16, 3, padding=1), torch.randn(2, 16, 9, 9)
    for name in ("channel", "separable", "tucker"):
        errors = [error(layer, KINDS[name].split(layer, rank), x) for rank in (2, 6, 14)]
        assert errors == sorted(errors, reverse=True), name


def test_what_cannot_be_done_is_not_offered():
    depthwise = nn.Conv2d(8, 8, 3, groups=8)
    assert kinds_of(depthwise) == []
    assert {kind.name for kind in kinds_of(nn.Conv2d(8, 8, 1))} == {"channel"}
    assert {kind.name for kind in kinds_of(nn.Linear(8, 8))} == {"low-rank"}
    assert {kind.name for kind in kinds_of(nn.Conv2d(8, 8, 5), ["stack", "cp"])} == {"stack", "cp"}
