"""What rounding to bfloat16 alone does to the gradients of a net, one kind of number at a time.

    python -m tests.train.roundings efficientnet_b0 mobilenetv2_100

All else is computed in float32: what no 16-bit training of the net can be better than, beside what
the core and PyTorch's autocast are. Errors are those of all gradients together, relative to
float64's. `norms`: normalizations as they begin ("initial"), around `SHIFT` ("shifted") where few
numbers round to the other side of their ReLU, or random.
"""

import argparse
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from darter.bench.training_steps import SHIFT
from darter.train.compiled import compiled
from tests.train.whole_nets import gradients, randomize, relative

KINDS = ("weights", "operands", "kept maps", "gradients")
FEWEST_CHANNELS = 9  # as in the core, which rounds no operands of fewer


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, there: bool, back: bool) -> Tensor:
        ctx.back = back
        return x.bfloat16().float() if there else x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return (gradient.bfloat16().float() if ctx.back else gradient), None, None


def _forward(layer: nn.Conv2d, kinds: Collection[str]) -> Callable[[Tensor], Tensor]:
    multiplies = layer.groups == 1 and min(layer.weight.shape[:2]) >= FEWEST_CHANNELS

    def forward(x: Tensor) -> Tensor:
        weight = _Rounded.apply(layer.weight, multiplies and "weights" in kinds, False)
        x = _Rounded.apply(x, multiplies and "operands" in kinds, "gradients" in kinds)
        y = layer._conv_forward(x, weight, layer.bias)
        return _Rounded.apply(y, y[0, 0].numel() > 1 and "kept maps" in kinds, "gradients" in kinds)

    return forward


@contextmanager
def rounded(net: nn.Module, kinds: Collection[str]) -> Iterator[None]:
    """Convolutions of the net round so: their weights, what they multiply, what they give, and the
    gradients of both."""
    layers = [layer for layer in net.modules() if type(layer) is nn.Conv2d]
    for layer in layers:
        layer.forward = _forward(layer, kinds)  # type: ignore[method-assign]
    yield
    for layer in layers:
        del layer.forward


def made(name: str, norms: str) -> nn.Module:
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=10, drop_rate=0.0)
    if norms == "random":
        randomize(net)
    for layer in net.modules():
        if norms == "shifted" and isinstance(layer, nn.BatchNorm2d):
            nn.init.constant_(layer.bias, SHIFT)
    return net.train()


def errors(name: str, norms: str, images: int, size: int) -> dict[str, float]:
    """By what is rounded, and of PyTorch's autocast and the core in bfloat16."""
    net = made(name, norms)
    x, labels = torch.randn(images, 3, size, size), torch.randint(10, (images,))

    def found(run: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
        y = run(x)
        functional.cross_entropy(y.to(x.dtype), labels).backward()
        return gradients(net)

    net.double()
    wanted = found(net, x.double())
    net.float()
    told = {}
    for kinds in [(kind,) for kind in KINDS] + [KINDS]:
        with rounded(net, kinds):
            told["all of these" if kinds == KINDS else kinds[0]] = relative(found(net, x), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        answer = net(x)
    told["PyTorch"] = relative(found(lambda _: answer, x), wanted)
    told["core"] = relative(found(compiled(net, x, precision="bfloat16"), x), wanted)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="+")
    parser.add_argument("--norms", choices=("initial", "shifted", "random"), default="shifted")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--size", type=int, default=96)
    options = parser.parse_args()
    for name in options.nets:
        told = errors(name, options.norms, options.images, options.size)
        print(name, *(f"{what} {error:.1e}" for what, error in told.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
