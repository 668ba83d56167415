"""Training in fixed point and with bfloat16 weights: what is rounded, kept and learned."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from darter.errors import OptionError
from darter.precision import FixedPoint, FixedUpdate, RoundedAdamW, as_bfloat16, rounded
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train


def on_grid(tensor, fl):
    multiples = tensor.detach().float() * 2.0**fl
    return bool((multiples == multiples.round()).all())


@pytest.mark.parametrize("text", ["fixed<2,14>", "fixed<6,10,nearest>", "fixed<1,0>"])
def test_formats_are_read_as_they_are_written(text):
    assert str(FixedPoint.parse(text)) == text


@pytest.mark.parametrize("text", ["fixed<2>", "fixed<2,14", "fixed<0,4>", "fixed<20,20>", "int8",
                                  "fixed<2,14,up>"])  # fmt: skip
def test_other_words_are_no_format(text):
    with pytest.raises(OptionError):
        FixedPoint.parse(text)


def test_layers_put_out_as_many_bits_with_six_of_them_integer():
    assert FixedPoint(2, 14).wider() == FixedPoint(6, 10)
    assert FixedPoint(8, 8).wider() == FixedPoint(8, 8)
    assert FixedPoint(2, 2).wider() == FixedPoint(4, 0)


def test_values_and_errors_are_numbers_of_their_formats():
    """Of conv, norm, sum of a branch and mean; the errors that reach the pictures, too."""
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    values, errors = FixedPoint(6, 4), FixedPoint(2, 12)
    seen = []
    with rounded(values, errors, seed=1):
        y = conv(x)
        z = torch.relu(norm(y)) + y
        out = z.mean((2, 3))
    for each in (y, z, out):
        each.register_hook(seen.append)
        assert on_grid(each, 4)
    out.sum().backward()
    assert not on_grid(conv.weight.grad, 12)  # summed wide
    assert len(seen) == 3
    again = []
    with rounded(values, errors, seed=1):
        again.append(conv(x))
    torch.testing.assert_close(again[0], y, rtol=0, atol=0)
    with rounded(values, errors, seed=2):
        assert not torch.equal(conv(x), y)


def test_the_gradient_passes_through_rounding():
    x = torch.full((4,), 0.3, requires_grad=True)
    with rounded(FixedPoint(4, 2), FixedPoint(4, 8, "nearest"), seed=0):
        y = x * 3.0
    y.sum().backward()
    assert on_grid(y, 2)
    torch.testing.assert_close(x.grad, torch.full((4,), 3.0))


def test_channels_last_and_strided_tensors_are_rounded_where_they_lie():
    from darter.precision import round_
    from darter.precision.rounded import Counter

    x = torch.randn(2, 3, 5, 5).to(memory_format=torch.channels_last)
    flat = x.permute(0, 2, 3, 1).reshape(-1).numpy().copy()
    round_(x, FixedPoint(3, 4), Counter(5))
    expected = FixedPoint(3, 4).round(flat, seed=5, stream=1)
    np.testing.assert_array_equal(x.permute(0, 2, 3, 1).reshape(-1).numpy(), expected)
    wide = torch.randn(6, 6)
    round_(wide[:, ::2], FixedPoint(3, 4), Counter(5))
    assert on_grid(wide[:, ::2], 4)
    assert not on_grid(wide[:, 1::2], 4)


def test_small_updates_count_on_average_but_nearest_loses_them():
    """A change of a tenth of a step, a thousand times: a hundred steps, or none."""
    for rounding, expected in (("stochastic", 100), ("nearest", 0)):
        weight = nn.Parameter(torch.zeros(500))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        update = FixedUpdate(FixedPoint(8, 4, rounding), 1.0, seed=1)
        for _ in range(1000):
            weight.grad = torch.full_like(weight, -1.0)
            optimizer.param_groups[0]["lr"] = 0.1 / 16
            update.step(optimizer)
        assert on_grid(weight, 4)
        assert abs(weight.mean().item() * 16 - expected) < 2  # five standard errors are 2.1


def test_scaled_losses_give_the_same_update():
    changes = []
    for scale in (1.0, 64.0):
        weight = nn.Parameter(torch.zeros(3))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        update = FixedUpdate(FixedPoint(4, 12, "nearest"), scale, seed=1)
        update.scale((weight * torch.tensor([0.5, -0.25, 1.0])).sum()).backward()
        update.step(optimizer)
        changes.append(weight.detach().clone())
    torch.testing.assert_close(changes[0], changes[1], rtol=0, atol=0)


def test_adamw_with_bfloat16_weights_follows_adamw():
    """On average over a thousand weights; their own rounding is far larger than a single update."""
    torch.manual_seed(0)
    start = torch.randn(40, 50)
    wide, short = nn.Linear(50, 40, bias=False), nn.Linear(50, 40, bias=False)
    wide.weight.data, short.weight.data = start.clone(), start.clone()
    assert as_bfloat16(short) == 2000
    first = torch.optim.AdamW(wide.parameters(), lr=1e-4)
    second = RoundedAdamW(short.parameters(), lr=1e-4)
    for _ in range(50):
        gradient = 1 + 0.1 * torch.randn(40, 50)
        wide.weight.grad, short.weight.grad = gradient.clone(), gradient.bfloat16()
        first.step()
        second.step()
    assert short.weight.dtype == torch.bfloat16
    assert second.state[short.weight]["square"].dtype == torch.bfloat16
    moved = (wide.weight - start).mean().item()
    assert moved == pytest.approx(-50e-4, rel=0.05)
    assert (short.weight.float() - start).mean().item() == pytest.approx(moved, rel=0.1)


class StopAt:
    """Progress that ends a training in the middle of an epoch."""

    def __init__(self, last):
        self.last = last

    def planned(self, plan, step): ...
    def epoch(self, record): ...
    def step(self, step, loss, accuracy, pictures_per_second):
        if step > self.last:
            raise KeyboardInterrupt


OFTEN = {"checkpoint_seconds": 0.0}


@pytest.mark.parametrize(
    "choice", [{"precision": "fixed<2,14>"}, {"precision": "bfloat16", "weights_in": "bfloat16"}]
)
def test_short_trainings_learn_and_resume_to_the_same_bits(choice, tmp_path):
    recipe, problem = QUICK.replace(epochs=12, **choice), tiny_problem()
    fitted = train(tiny_model(), problem, recipe)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_model(), problem, recipe, out=tmp_path, progress=StopAt(17), **OFTEN)
    again = train(tiny_model(), problem, recipe, out=tmp_path, resume=True)
    assert fitted.val_accuracy > 0.6
    for one, other in zip(fitted.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.dtype == torch.float32
    weight = fitted.model.net.stem[0].weight
    if choice["precision"] == "fixed<2,14>":
        assert on_grid(weight, 14)
    else:
        assert torch.equal(weight, weight.bfloat16().float())
        assert "instead of" in fitted.plan.why[-1]


def test_copies_of_a_trained_model_do_not_round():
    model = tiny_model()
    x = torch.randn(2, 3, 16, 16)
    with rounded(FixedPoint(4, 2), FixedPoint(4, 2), seed=0):
        inside = model(x)
    assert on_grid(inside, 2)
    assert not on_grid(copy.deepcopy(model)(x), 2)
