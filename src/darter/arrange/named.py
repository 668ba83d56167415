"""Nets of torchvision and timm by name, and any PyTorch module, as ONNX files to look at."""

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from darter.arrange.onnx_file import write_with_weights
from darter.errors import OptionError, UnsupportedError

USUAL_SIZE = 224  # pixels, where a net does not say its own
OPSET = 17
WITHOUT_AUXILIARY = ("googlenet", "inception_v3")  # their second classifiers only help training


def make_net(name: str) -> tuple[nn.Module, int]:
    """The net with random weights, and the side of the pictures that it was made for.

    name: of torchvision, or of timm where torchvision has none; "timm/NAME" asks timm only.
    Raises OptionError with similar names where neither knows it.
    """
    import torchvision

    torch.manual_seed(0)
    if not name.startswith("timm/") and name in torchvision.models.list_models():
        options = {}
        if name in WITHOUT_AUXILIARY:
            options = {"aux_logits": False, "init_weights": False, "transform_input": True}
        net = torchvision.models.get_model(name, weights=None, **options)
        return net.eval(), 299 if name == "inception_v3" else USUAL_SIZE
    import timm

    name = name.removeprefix("timm/")
    if not timm.is_model(name):
        raise OptionError(f"no net is called {name!r}{_similar(name)}")
    net = timm.create_model(name, pretrained=False)
    settings: Any = net.pretrained_cfg
    return net.eval(), int(settings["input_size"][-1])


def _similar(name: str) -> str:
    import difflib

    import timm
    import torchvision

    known = {*torchvision.models.list_models(), *timm.list_models()}
    near = difflib.get_close_matches(name, known, 3)
    return f"; did you mean {', '.join(near)}?" if near else " in torchvision or timm"


def to_file(net: nn.Module, size: int, path: Path, *, channels: int = 3) -> None:
    """Write the net, nothing folded, for pictures (N, channels, size, size), to be looked at.

    Raises UnsupportedError with PyTorch's reason where it cannot be written.
    """
    import onnx

    weights = net.state_dict()
    net = _made_different(net)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                net,
                (torch.zeros(1, channels, size, size),),
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["logits"],
                dynamic_axes={"images": {0: "N"}, "logits": {0: "N"}},
                do_constant_folding=False,
                export_params=False,  # weights are inputs of the graph, and written below
                training=torch.onnx.TrainingMode.PRESERVE,  # keep batch norms apart
            )
    except Exception as error:  # whatever PyTorch's exporter raises
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise UnsupportedError(f"PyTorch cannot write this net as ONNX: {reason[0]}") from error
    finally:
        logging.disable(logging.NOTSET)
    write_with_weights(onnx.load(path), weights, path)


@torch.no_grad()
def _made_different(net: nn.Module) -> nn.Module:
    """A copy without equal weights, which PyTorch would write once: zeros of untrained layers.

    Matrices and filters are shared with the net.
    """
    shared = {id(p): p for p in net.parameters() if p.dim() > 1}
    net = copy.deepcopy(net, dict(shared)).eval()
    seen: set[bytes] = set()
    for value in net.parameters():
        if value.dim() < 2 and value.is_floating_point():
            content = value.cpu().numpy().tobytes()
            if content in seen:
                value.add_(torch.empty_like(value).uniform_(-1e-3, 1e-3))
            seen.add(content)
    return net
