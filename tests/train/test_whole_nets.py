"""Gradients of whole nets of timm, all parameters random, against PyTorch's in float64."""

import pytest

from tests.train.whole_nets import NETS, measure

QUICK = ("resnet18", "mobilenetv3_small_100", "efficientnet_b0", "dla34")
LIMIT = 1e-4
SHORT_LIMIT = 3e-2


@pytest.mark.parametrize("name", QUICK)
def test_gradients_are_float64s_on_the_same_sides_of_corners(name):
    found = measure(name, images=3, size=64)
    assert found.forward < 1e-5
    assert found.sides < LIMIT
    assert not found.refused


def test_gradients_in_16_bits():
    found = measure("resnet18", images=3, size=64, precision="bfloat16")
    assert found.forward < 1e-2
    assert found.sides < SHORT_LIMIT
    assert found.whole < 1.2 * found.pytorch


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_gradients_of_larger_pictures(name):
    found = measure(name, images=2, size=96)
    assert found.forward < 1e-5
    assert found.sides < LIMIT
