"""Nets by name, and any module, as files."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from darter.arrange import make_net, to_file
from darter.net import read_graph, read_model


class Odd(nn.Module):
    """Buffers, weights that two layers share, whole numbers, and names of several lengths."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, padding=1, bias=False)
        self.a_norm_with_a_long_name = nn.BatchNorm2d(5)
        self.again = nn.Conv2d(5, 5, 1)
        self.last = nn.Linear(5, 7)
        self.register_buffer("places", torch.tensor([4, 0, 2]))

    def forward(self, x):
        x = self.a_norm_with_a_long_name(self.first(x)).relu()
        x = self.again(self.again(x)).mean((2, 3))
        return self.last(x)[:, self.places]


def test_the_file_computes_what_the_net_does(tmp_path):
    import onnxruntime

    torch.manual_seed(0)
    net = Odd().eval()
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    to_file(net, 9, tmp_path / "net.onnx")
    onnx.checker.check_model(tmp_path / "net.onnx", full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    assert [value.name for value in session.get_inputs()] == ["images"]
    x = torch.rand(2, 3, 9, 9)
    (found,) = session.run(None, {"images": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, net(x).numpy(), rtol=1e-5, atol=1e-6)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_weights_lie_where_they_are_read_in_place(tmp_path):
    parts = {f"layer{'s' * k}": nn.Conv2d(3, 3 + 2000 * (k > 0), 1 + 2 * k) for k in range(3)}
    net = nn.Sequential()
    for name, layer in parts.items():
        net.add_module(name, nn.Sequential(layer, nn.Conv2d(layer.out_channels, 3, 1)))
    to_file(net, 9, tmp_path / "net.onnx")
    model = read_model(tmp_path / "net.onnx")
    assert len(model.raw) > 3
    graph = read_graph(model.proto, tmp_path, model.raw)
    assert all(w.flags.aligned for w in graph.weights.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "inception_v3", "timm/convnext_atto"])
def test_nets_by_name_compute_the_same_in_their_file(name, tmp_path):
    from bench.agreement import randomized
    from darter.model import load

    net, size = make_net(name)
    randomized(net, size)  # signals fade in nets as PyTorch makes them
    to_file(net, size, tmp_path / "net.onnx")
    x = torch.rand(1, 3, size, size)
    with torch.no_grad():
        expected = net(x).numpy()
    found = load(tmp_path / "net.onnx", classes=[str(k) for k in range(1000)]).logits(x.numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_equal_weights_of_an_untrained_net_stay_equal(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)).eval()
    for layer in (net[0], net[2]):
        nn.init.zeros_(layer.bias)
    to_file(net, 8, tmp_path / "net.onnx")
    weights = {w.name: w for w in onnx.load(tmp_path / "net.onnx").graph.initializer}
    assert {"0.bias", "1.weight", "1.bias", "2.bias"} <= weights.keys()
    for name, value in net.state_dict().items():
        if name in weights:
            np.testing.assert_array_equal(onnx.numpy_helper.to_array(weights[name]), value.numpy())
