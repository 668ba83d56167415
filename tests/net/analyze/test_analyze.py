"""What a file is said to cost is what was published of it."""

import numpy as np
import onnx
import pytest

from darter.arrange import make_net, to_file
from darter.errors import OptionError
from darter.model import analyze_file
from tests.net.onnx_nets import N, net

# name -> weights and multiply-adds of one picture as torchvision's own table of weights says, in
# 10⁹ and rounded by it to three digits. Inception-v3: without its second classifier, which only
# helps training (27161264 with it). EfficientNet-Lite0: of timm's table.
PUBLISHED = {
    "alexnet": (61100840, 0.714),
    "vgg16": (138357544, 15.47),
    "vgg19": (143667240, 19.632),
    "googlenet": (6624904, 1.498),
    "inception_v3": (27161264 - 3326696, 5.713),
    "resnet18": (11689512, 1.814),
    "resnet50": (25557032, 4.089),
    "mobilenet_v2": (3504872, 0.301),
    "tf_efficientnet_lite0": (4652008, 0.385),
}
TIMM = (
    "resnet26", "resnetv2_50", "regnetx_002", "regnety_002", "mobilenetv3_small_050",
    "mobilenetv3_large_100", "efficientnet_b0", "tf_efficientnet_lite1", "mnasnet_100",
    "fbnetc_100", "spnasnet_100", "ghostnet_100", "hardcorenas_a", "densenet121", "dla34",
    "convnext_atto", "repvgg_a0", "selecsls42b", "hrnet_w18_small", "mobileone_s0",
)  # fmt: skip
QUICK = ("resnet18",)


def check_published(name, folder):
    made, size = make_net(name)
    to_file(made, size, folder / "net.onnx")
    found = analyze_file(folder / "net.onnx", size=size, runs=0)
    weights, billions = PUBLISHED[name]
    assert found.weights == weights
    assert abs(found.multiply_adds / 1e9 - billions) <= max(5e-4, 0.005 * billions)


@pytest.mark.parametrize("name", QUICK)
def test_published_counts(name, tmp_path):
    check_published(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in QUICK])
def test_published_counts_of_larger_nets(name, tmp_path):
    check_published(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_counts_are_those_of_fvcore(name, tmp_path):
    """Of its convolutions and matrix products; it counts normalization and pools besides."""
    fvcore = pytest.importorskip("fvcore.nn")
    torch = pytest.importorskip("torch")
    made, size = make_net(f"timm/{name}")
    counted = fvcore.FlopCountAnalysis(made, torch.zeros(1, 3, size, size))
    by_operator = counted.unsupported_ops_warnings(False).by_operator()
    products = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
    expected = sum(by_operator[each] for each in products)
    weights = sum(p.numel() for p in made.parameters())
    to_file(made, size, tmp_path / "net.onnx")
    found = analyze_file(tmp_path / "net.onnx", size=size, runs=0)
    assert found.weights == weights
    assert found.multiply_adds == expected


def small_file(path):
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.standard_normal((8, 3, 3, 3)).astype(np.float32),
        "scale": np.ones(8, np.float32),
        "shift": np.zeros(8, np.float32),
        "mean": np.zeros(8, np.float32),
        "variance": np.ones(8, np.float32),
        "v": rng.standard_normal((5, 8)).astype(np.float32),
        "six": np.array(6.0, np.float32),
    }
    nodes = [
        N("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2], name="first"),
        N("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"], name="norm"),
        N("Relu", ["b"], ["c"], name="relu"),
        N("Div", ["c", "six"], ["d"], name="divide"),
        N("GlobalAveragePool", ["d"], ["e"], name="pool"),
        N("Flatten", ["e"], ["f"], name="flat"),
        N("Transpose", ["v"], ["turned"], perm=[1, 0], name="turn"),
        N("MatMul", ["f", "turned"], ["y"], name="classes"),
    ]
    onnx.save(net(nodes, weights, x=("n", 3, 16, 16)), path)
    return path


def test_each_layer_of_a_small_file(tmp_path):
    found = analyze_file(small_file(tmp_path / "net.onnx"), runs=2)
    layers = {layer.name: layer for layer in found.layers}
    assert [*layers] == ["first", "norm", "relu", "divide", "pool", "flat", "classes"]
    first = layers["first"]
    assert (first.op, first.shape, first.weights) == ("Conv", (1, 8, 8, 8), 8 * 27)
    assert first.multiply_adds == 64 * 8 * 27
    assert first.activation_bytes == 4 * (3 * 256 + 8 * 64)
    assert first.weight_bytes == 4 * 8 * 27
    assert first.intensity == 2 * first.multiply_adds / (first.activation_bytes + 4 * 8 * 27)
    assert (first.field, first.stride, first.offset) == ((3, 3), (2, 2), (-1, -1))
    assert layers["norm"].weights == 16  # neither mean nor variance
    assert layers["divide"].weights == 0
    assert layers["classes"].weights == 40  # through a transpose
    assert layers["classes"].multiply_adds == 40
    assert layers["pool"].field == (17, 17)
    assert layers["pool"].stride == (0, 0)
    assert first.ms > 0
    assert first.algorithm
    assert layers["relu"].ms == 0  # it is a part of the first layer
    assert sum(layer.share for layer in found.layers) <= 1 + 1e-9
    assert found.ms > 0
    assert found.weights == 8 * 27 + 16 + 40


def test_no_time_is_measured_where_none_is_asked_for(tmp_path):
    found = analyze_file(small_file(tmp_path / "net.onnx"), runs=0)
    assert found.ms == 0
    assert all(layer.ms == 0 and layer.gflops == 0 for layer in found.layers)


def test_similar_names_are_told():
    with pytest.raises(OptionError, match="did you mean"):
        make_net("resnet_18x")
