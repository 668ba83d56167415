"""The lecture's figures: what arrangements of small filters see, weigh and cost."""

import pytest
import torch
from torch import nn

from darter.arrange import (
    FAMILY,
    Sandwich,
    ScratchNet,
    inception_a,
    inception_b,
    inception_c,
    inception_d,
    inception_e,
    separable,
    stack,
)
from darter.errors import OptionError

C, H, W = 64, 14, 10


def weights(module: nn.Module) -> int:
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d))


def multiply_adds(module: nn.Module, x: torch.Tensor) -> int:
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    module.eval()(x)
    return total


def seen(module: nn.Module, side: int = 31) -> tuple[int, int]:
    """Rows and columns that the unit in the middle depends on."""
    for value in module.parameters():
        nn.init.uniform_(value, 0.1, 1)
    x = torch.rand(1, 4, side, side, dtype=torch.float64, requires_grad=True)
    y = module.double().eval()(x)
    y[0, :, side // 2, side // 2].sum().backward()
    reached = x.grad[0].abs().sum(0) > 0
    return int(reached.any(1).sum()), int(reached.any(0).sum())


@pytest.mark.parametrize(("side", "count"), [(3, 1), (5, 2), (7, 3), (9, 4)])
def test_stacks_see_as_much_as_a_large_filter(side, count):
    assert seen(stack(4, 4, side)) == (side, side)
    assert weights(stack(C, C, side)) == count * 9 * C**2


def test_three_by_three_thrice_against_seven_by_seven():
    x = torch.rand(1, C, H, W)
    large, small = nn.Conv2d(C, C, 7, padding=3, bias=False), stack(C, C, 7)
    assert (weights(large), weights(small)) == (49 * C**2, 27 * C**2)
    assert multiply_adds(large, x) == 49 * H * W * C**2
    assert multiply_adds(small, x) == 27 * H * W * C**2


def test_the_sandwich_weighs_a_third():
    assert weights(Sandwich(C)) == 3.25 * C**2
    assert seen(Sandwich(4)) == (3, 3)
    assert multiply_adds(Sandwich(C), torch.rand(1, C, H, W)) == 3.25 * H * W * C**2


def test_one_by_three_and_three_by_one_weigh_two_thirds():
    assert weights(separable(C, C, 3)) == 6 * C**2
    assert weights(separable(C, C, 7)) == 14 * C**2
    assert seen(separable(4, 4, 3)) == (3, 3)


def theirs(name, *arguments):
    module = pytest.importorskip("torchvision.models.inception")
    return getattr(module, name)(*arguments)


@pytest.mark.parametrize(
    ("ours", "published", "channels", "more", "side", "outputs"),
    [
        (inception_a, "InceptionA", 192, (32,), 9, 256),
        (inception_b, "InceptionB", 288, (), 9, 768),
        (inception_c, "InceptionC", 768, (128,), 9, 768),
        (inception_d, "InceptionD", 768, (), 9, 1280),
        (inception_e, "InceptionE", 1280, (), 4, 2048),
    ],
)
def test_inception_modules_compute_as_published(ours, published, channels, more, side, outputs):
    """With the same weights, in the same order of branches, they are the published modules."""
    mine, other = ours(channels, *more).eval(), theirs(published, channels, *more).eval()
    assert sum(p.numel() for p in mine.parameters()) == sum(p.numel() for p in other.parameters())
    x = torch.rand(1, channels, side, side)
    order = {tuple(m.weight.shape): [] for m in other.modules() if isinstance(m, nn.Conv2d)}
    for layer in other.modules():
        if isinstance(layer, nn.Conv2d):
            order[tuple(layer.weight.shape)].append(layer)
    with torch.no_grad():
        for layer in mine.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.copy_(order[tuple(layer.weight.shape)].pop(0).weight)
    assert not any(order.values())
    y = mine(x)
    assert y.shape[1] == outputs
    torch.testing.assert_close(y.sort(1).values, other(x).sort(1).values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("size", [28, 64, 224])
def test_the_family_takes_every_size(name, size):
    net = ScratchNet(size, name).eval()
    assert net(torch.zeros(2, 3, size, size)).shape == (2, FAMILY[name][0][-1])


def test_mistakes_are_sentences():
    with pytest.raises(OptionError, match="odd"):
        stack(4, 4, 4)
    with pytest.raises(OptionError, match="even"):
        Sandwich(5)
    with pytest.raises(OptionError, match="tiny"):
        ScratchNet(32, "huge")
