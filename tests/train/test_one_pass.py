import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from darter.kernels import UpdateRule, available_isas, update_all, using_isa, using_threads
from darter.noise import Average, EqualAverage
from darter.train.one_pass import OnePass

SHAPES = st.lists(
    st.sampled_from([(), (1,), (7,), (16, 3), (5, 3, 3, 3), (129,), (40, 1000)]),
    min_size=1,
    max_size=4,
)
OPTIMIZERS = st.one_of(
    st.builds(
        lambda beta, fused: (
            lambda groups: torch.optim.AdamW(groups, betas=(beta, 0.999), fused=fused)
        ),
        st.sampled_from([0.0, 0.9]),
        st.booleans(),
    ),
    st.builds(
        lambda momentum: lambda groups: torch.optim.SGD(groups, momentum=momentum),
        st.sampled_from([0.0, 0.9]),
    ),
)


def weights_of(shapes, seed):
    random = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=random)) for shape in shapes]


def groups_of(weights, decay):
    half = (len(weights) + 1) // 2
    groups = [
        {"params": weights[:half], "lr": 1e-2, "weight_decay": decay},
        {"params": weights[half:], "lr": 1e-3, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def give_gradients(weights, seed):
    random = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=random)


@pytest.mark.parametrize("isa", available_isas())
@settings(max_examples=25, deadline=None)
@given(
    shapes=SHAPES,
    make=OPTIMIZERS,
    decay=st.sampled_from([0.0, 0.05]),
    average=st.sampled_from([None, 0.9, "equal"]),
    skipped=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_steps_and_averages_are_pytorchs(isa, shapes, make, decay, average, skipped, seed):
    """3 of its roundings: of a mean, its quotient and the weight; PyTorch's may be others."""
    theirs = weights_of(shapes, seed)
    ours = copy.deepcopy(theirs)
    optimizers, averages = [], []
    for weights in (theirs, ours):
        optimizers.append(make(groups_of(weights, decay)))
        live = {str(i): weight.detach() for i, weight in enumerate(weights)}
        live["count"] = torch.zeros((), dtype=torch.int64)
        live["statistics"] = torch.ones(3)
        of = {None: None, "equal": EqualAverage}.get(average, lambda v: Average(v, average))
        averages.append(of(live) if of else None)
    one_pass = OnePass(optimizers[1])
    for step in range(4):
        counts = not (skipped and step < 2)
        for weights in (theirs, ours):
            give_gradients(weights, seed + step)
        optimizers[0].step()
        if averages[0]:
            averages[0].update(counts)
        with using_isa(isa):
            one_pass(averages[1], counts)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=3e-6, atol=3e-6)
        mine, known = optimizers[1].state[a], optimizers[0].state[b]
        for name, value in known.items():
            if value is not None:
                torch.testing.assert_close(mine[name], value, rtol=3e-6, atol=3e-6)
    if averages[0]:
        assert averages[1].updates == averages[0].updates
        for name, value in averages[0].values.items():
            torch.testing.assert_close(averages[1].values[name], value, rtol=3e-6, atol=3e-6)


def trained(isa, threads, *, resume=False):
    weights = weights_of([(40, 1000), (7,), (5, 3, 3, 3)], 1)
    optimizer = torch.optim.AdamW(groups_of(weights, 0.05), betas=(0.9, 0.999), fused=True)
    average = Average({str(i): weight.detach() for i, weight in enumerate(weights)}, 0.9)
    step = OnePass(optimizer)
    with using_isa(isa), using_threads(threads):
        for number in range(4):
            give_gradients(weights, number)
            step(average)
            if resume and number == 1:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = torch.optim.AdamW(
                    groups_of(weights, 0.05), betas=(0.9, 0.999), fused=True
                )
                optimizer.load_state_dict(state)
                step = OnePass(optimizer)
    return [*weights, *average.values.values()]


def test_the_same_bits_on_every_instruction_set_and_number_of_threads_and_when_resumed():
    wanted = trained(available_isas()[0], 1)
    for isa in available_isas():
        for found in (trained(isa, 2), trained(isa, 1, resume=True)):
            for a, b in zip(found, wanted, strict=True):
                assert torch.equal(a, b)


def test_channels_last_weights_and_plain_gradients():
    filters = torch.randn(4, 3, 3, 3)
    plain = nn.Parameter(filters.clone())
    last = nn.Parameter(filters.to(memory_format=torch.channels_last))
    gradient = torch.randn(4, 3, 3, 3)
    for weight in (plain, last):
        weight.grad = gradient.clone()
        OnePass(torch.optim.AdamW([weight], lr=0.1))()
    assert torch.equal(plain, last)
    assert not torch.equal(plain, filters)


def test_what_it_does_not_know_is_left_to_pytorch():
    def weight():
        return nn.Parameter(torch.ones(3))

    assert OnePass.takes(torch.optim.AdamW([weight()]))
    assert OnePass.takes(torch.optim.SGD([weight()], momentum=0.9))
    assert not OnePass.takes(torch.optim.AdamW([weight()], amsgrad=True))
    assert not OnePass.takes(torch.optim.SGD([weight()], momentum=0.9, nesterov=True))
    assert not OnePass.takes(torch.optim.RMSprop([weight()]))
    assert not OnePass.takes(torch.optim.SGD([nn.Parameter(torch.ones(3).double())]))
    assert not OnePass.takes(torch.optim.SGD([nn.Parameter(torch.ones(6)[::2])]))


def test_weights_without_gradients_stay():
    weight = nn.Parameter(torch.ones(3))
    OnePass(torch.optim.AdamW([weight]))()
    assert weight.tolist() == [1.0, 1.0, 1.0]


def test_the_kernel_names_what_is_missing():
    rule = UpdateRule(adam=True, rate=0.1, decay=1.0, momentum=0.9, rest=0.1)
    at = np.zeros(3, np.float32).ctypes.data
    with pytest.raises(ValueError, match="no such rule"):
        update_all([], [(0, at, at, 0, 0, 0, 3)])
    with pytest.raises(ValueError, match="an array is missing"):
        update_all([rule], [(0, at, at, 0, 0, 0, 3)])
