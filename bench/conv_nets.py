"""Write src/darter/bench/nets.json: the convolutions of the lecture's nets, in order.

python bench/conv_nets.py        needs the [train] extra; run it when a net is added
"""

import json
from itertools import groupby
from pathlib import Path

import torch
import torchvision

from darter.conv import ConvSpec

NETS = {
    "vgg-e": (torchvision.models.vgg19, 224),
    "alexnet": (torchvision.models.alexnet, 224),
    "resnet-50": (torchvision.models.resnet50, 224),
    "googlenet": (torchvision.models.googlenet, 224),
    "inception-v3": (torchvision.models.inception_v3, 299),
}


def layers(build, size: int) -> list[str]:
    """Every convolution that one picture passes, in order."""
    options = {} if "vgg" in build.__name__ or "alex" in build.__name__ else {"weights": None}
    net = build(**options).eval()
    found: list[str] = []

    def note(module, inputs, _output):
        spec = ConvSpec(
            tuple(inputs[0].shape), tuple(module.weight.shape), module.stride, module.padding,
            module.dilation, module.groups,
        )  # fmt: skip
        found.append(str(spec))

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        net(torch.zeros(1, 3, size, size))
    return found


def main() -> None:
    nets = {
        name: [[spec, len(list(same))] for spec, same in groupby(layers(*net))]
        for name, net in NETS.items()
    }
    target = Path(__file__).parents[1] / "src/darter/bench/nets.json"
    target.write_text(json.dumps(nets, indent=1) + "\n")


if __name__ == "__main__":
    main()
