"""Binary layers: gradients, two-step training, the packed file, the engine that runs bits."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from darter import kernels
from darter.model import runtime_of
from darter.precision import BinaryConv2d, BinaryLinear, RPReLU, RSign, frozen, set_binary
from darter.train.written import to_onnx
from darter.transfer import STRATEGIES, Classifier, binary_net
from tests.train.tiny import QUICK, tiny_problem, train


def shaken(model, seed=0):
    """A model with every parameter and statistic at random, so that nothing hides."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() == 1:
                value.copy_(torch.rand(value.shape, generator=generator) - 0.4)
            assert value.numel(), name
        for each in model.modules():
            if isinstance(each, nn.BatchNorm2d):
                each.running_mean.copy_(torch.randn(each.num_features, generator=generator))
                each.running_var.copy_(torch.rand(each.num_features, generator=generator) + 0.5)
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return shaken(Classifier(binary_net(32), 5))


def test_signs_forward_and_a_curve_backward():
    rsign = RSign(3).train()
    x = torch.tensor([[-2.0, -0.5, 0.0]], requires_grad=True)
    y = rsign(x)
    y.sum().backward()
    assert y.tolist() == [[-1, -1, 1]]
    assert x.grad.tolist() == [[0, 1, 2]]
    assert rsign.threshold.grad.tolist() == [0, -1, -2]


def test_weights_count_by_sign_and_size():
    layer = BinaryLinear(4, 2).train()
    layer.weight.data = torch.tensor([[0.5, -0.5, 1.0, 2.0], [0.1, 0.1, 0.0, -0.2]])
    used = layer.used()
    torch.testing.assert_close(used, torch.tensor([[1.0, -1, 1, 1], [0.1, 0.1, 0.1, -0.1]]))
    used.sum().backward()
    assert layer.weight.grad[0].tolist() == [1, 1, 1, 0]  # none beyond 1
    set_binary(layer, False)
    assert layer.used() is layer.weight  # the first of two steps
    assert not torch.equal(layer.eval().used(), layer.weight)


def test_rprelu_is_a_moved_prelu():
    bend = RPReLU(2)
    bend.before.data, bend.after.data = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    assert bend(torch.tensor([[0.0, 2.0]])).tolist() == [[-0.25, 5.0]]


def test_frozen_layers_compute_the_same(model):
    x = torch.randn(2, 3, 32, 32)
    plain = frozen(model)
    assert not any(isinstance(m, BinaryConv2d) for m in plain.modules())
    with torch.no_grad():
        torch.testing.assert_close(plain(x), model(x), rtol=0, atol=0)


@pytest.mark.parametrize("isa", kernels.available_isas())
def test_the_file_is_packed_and_every_runtime_gives_the_same_answers(model, isa):
    proto = to_onnx(model, 32)
    onnx.checker.check_model(proto)
    wide = sum(p.numel() for p in model.parameters()) * 4
    assert len(proto.SerializeToString()) < wide / 8
    x = np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    (reference,) = runtime_of(proto, "a net", runtime="onnxruntime").run(x)
    np.testing.assert_allclose(reference, expected, rtol=1e-3, atol=1e-3)
    with kernels.using_isa(isa):
        runtime = runtime_of(proto, "a net", runtime="darter")
        (ours,) = runtime.run(x)
        steps = [each.algorithm for each in runtime.report((32, 32), 3)]
    assert steps.count("bits") == 16  # eight times signs to bits, and a convolution
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)


def test_two_steps_learn():
    recipe = QUICK.replace(epochs=20, learning_rate=3e-3)
    model = Classifier(binary_net(16), 3)
    fitted = train(model, tiny_problem(), recipe, STRATEGIES["binary"])
    assert fitted.val_accuracy > 0.6
    assert fitted.model.net.features[1][0].conv.binary
