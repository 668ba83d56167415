"""DropConnect: its moments, its approximation, and the plain layer at p = 0."""

import pytest
import torch
from torch import nn

from darter.errors import OptionError
from darter.noise import DropConnectConv2d, DropConnectLinear

DRAWS = 100_000
LINEAR = {"in_features": 12, "out_features": 3}
CONV = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "padding": 1, "groups": 2}


def layer(kind, p, **options):
    torch.manual_seed(1)
    size = LINEAR if kind is DropConnectLinear else CONV
    return kind(**size, p=p, **options).double().train()


def one_input(kind):
    torch.manual_seed(2)
    shape = (1, 12) if kind is DropConnectLinear else (1, 4, 3, 2)
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("kind", [DropConnectLinear, DropConnectConv2d])
@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_mean_and_variance_are_those_of_the_gaussian(kind, gaussian, p):
    """Mean W x + b and variance p/(1-p) W² x², within five standard errors of 10⁵ draws."""
    plain, x = layer(kind, p, per_example=True, gaussian=gaussian), one_input(kind)
    with torch.no_grad():
        draws = torch.cat([plain(x.expand(5000, *x.shape[1:])) for _ in range(DRAWS // 5000)])
        mean = plain.eval()(x)[0]
        plain.weight.square_(), plain.bias.zero_()
        variance = p / (1 - p) * plain(x.square())[0]
    error = (draws.mean(dim=0) - mean) / (variance / DRAWS).sqrt()
    assert error.abs().max() < 5
    # a sum of 12 to 18 masked products has a kurtosis near 3, so var(s²) is about 2σ⁴/n
    relative = (draws.var(dim=0) / variance - 1) / (2 / DRAWS) ** 0.5
    assert relative.abs().max() < 12 if not gaussian else relative.abs().max() < 5


@pytest.mark.parametrize("kind", [DropConnectLinear, DropConnectConv2d])
@pytest.mark.parametrize("per_example", [False, True])
def test_without_noise_it_is_the_plain_layer_bit_for_bit(kind, per_example):
    size = LINEAR if kind is DropConnectLinear else CONV
    noisy = kind(**size, p=0.0, per_example=per_example).train()
    plain = (nn.Linear if kind is DropConnectLinear else nn.Conv2d)(**size)
    plain.load_state_dict(noisy.state_dict())
    x = one_input(kind).float()
    assert torch.equal(noisy(x), plain(x))
    noisy.p = 0.5
    assert not torch.equal(noisy(x), plain(x))
    assert torch.equal(noisy.eval()(x), plain(x))


@pytest.mark.parametrize("kind", [DropConnectLinear, DropConnectConv2d])
@pytest.mark.parametrize("options", [{}, {"per_example": True}, {"gaussian": True}], ids=str)
def test_gradients_are_those_of_the_drawn_mask(kind, options):
    noisy, x = layer(kind, 0.4, **options), one_input(kind).expand(2, *one_input(kind).shape[1:])
    x = x.clone().requires_grad_()

    def run(x, weight, bias):
        torch.manual_seed(5)
        return torch.func.functional_call(noisy, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(run, (x, noisy.weight, noisy.bias))


def test_one_mask_for_all_or_one_for_each():
    x = torch.ones(2, 12)
    for per_example in (False, True):
        torch.manual_seed(0)
        first, second = DropConnectLinear(12, 3, p=0.5, per_example=per_example).train()(x)
        assert torch.equal(first, second) != per_example


def test_padding_that_reflects():
    torch.manual_seed(0)
    noisy = DropConnectConv2d(2, 2, 3, padding=1, padding_mode="reflect", p=0.5, per_example=True)
    x = torch.randn(3, 2, 5, 5)
    assert noisy.train()(x).shape == noisy.eval()(x).shape


def test_a_share_of_one_is_refused():
    with pytest.raises(OptionError, match=r"in \[0, 1\); got 1"):
        DropConnectLinear(2, 2, p=1)
