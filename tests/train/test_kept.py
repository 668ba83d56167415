import torch
from torch import nn

from darter.train import compiled
from darter.train.compiled.kept import Kept


def test_memory_is_lent_anew_only_when_nobody_holds_it():
    kept = Kept((3, 4))
    first = kept.tensor()
    first.fill_(1)
    place, row = first.data_ptr(), first[1]
    del first
    second = kept.tensor()  # the row still holds the first
    assert second.data_ptr() != place
    second.fill_(2)
    assert row.tolist() == [1.0] * 4
    place = second.data_ptr()
    del second, row
    assert kept.tensor().data_ptr() == place


def test_scalars_too():
    assert Kept(()).tensor().shape == ()


def test_gradients_that_are_held_stay_and_those_dropped_make_room():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Flatten(), nn.Linear(16 * 36, 4))
    x = torch.randn(2, 3, 8, 8)
    net = compiled(module, x)
    weight = module[2].weight

    def step(images):
        net(images).square().sum().backward()
        return weight.grad

    held = step(x)
    before = held.clone()
    module.zero_grad()
    other = step(2 * x)
    assert torch.equal(held, before)
    assert not torch.equal(other, before)
    place = other.data_ptr()
    del other
    module.zero_grad()
    assert step(x).data_ptr() == place  # the same memory, not copied by autograd
    assert torch.equal(weight.grad, before)
    step(x)  # added to what is there
    torch.testing.assert_close(weight.grad, 2 * before)
