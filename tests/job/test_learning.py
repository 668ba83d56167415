"""What computes a net's answers while it is taught."""

import copy
from types import SimpleNamespace

import pytest
import torch

from darter.errors import OptionError
from darter.job import learning
from darter.job.learning import forward_of
from darter.transfer import Classifier, small_net


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Classifier(small_net(32), 3, dropout=0.5)
    for value in net.buffers():
        if value.is_floating_point():
            torch.nn.init.uniform_(value, 0.5, 1.5)
    return net.eval()


def gradients(net, forward, x):
    net.zero_grad()
    answers = forward(x)
    answers.square().sum().backward()
    return answers.detach(), [p.grad.clone() for p in net.parameters() if p.grad is not None]


def test_the_core_computes_what_the_net_in_use_computes(net):
    x = torch.rand(4, 3, 32, 32)
    before = copy.deepcopy(net.state_dict())
    expected = gradients(net, net, x)
    forward, left = forward_of(net, x, 1000.0)
    assert forward is not net and left < 1000.0
    answers, found = gradients(net, forward, x)
    torch.testing.assert_close(answers, expected[0], rtol=1e-4, atol=1e-5)
    assert len(found) == len(expected[1]) == len(list(net.parameters()))
    for one, other in zip(found, expected[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))
    assert not any(module.training for module in net.modules())
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_trace_that_takes_all_the_time_leaves_no_step(net, monkeypatch):
    clock = iter((0.0, 500.0))
    monkeypatch.setattr(learning, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(learning, "compiled", lambda net, example: SimpleNamespace(segments=[]))
    _, left = forward_of(net, torch.rand(2, 3, 32, 32), 100.0)
    assert 0 < left < 0.01


@pytest.mark.parametrize("how", [{"compute": "pytorch"}, {"seconds": 5.0}])
def test_pytorch_where_asked_for_or_for_a_moment(net, how):
    seconds = how.pop("seconds", 1000.0)
    assert forward_of(net, torch.rand(2, 3, 32, 32), seconds, **how) == (net, seconds)


def test_pytorch_where_the_core_cannot(net, monkeypatch):
    class Core:
        @property
        def segments(self):
            raise OptionError("cannot be traced")

    monkeypatch.setattr(learning, "compiled", lambda net, example: Core())
    assert forward_of(net, torch.rand(2, 3, 32, 32), 1000.0)[0] is net
