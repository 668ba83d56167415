"""Gradients of whole nets in the core against PyTorch's in float64.

    python -m tests.train.whole_nets resnet18 mobilenetv2_100

ReLU, hard swish and maximum pools have corners: a number that float32 rounds to the other side of
one changes a gradient as a whole, whoever computes it. Two questions are therefore kept apart. How
exact is the arithmetic: against a float64 net that takes, at each corner, the side that the core
took. And how often do sides differ: against the float64 net as it is, the core beside PyTorch's
float32.
"""

import argparse
from dataclasses import dataclass

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from darter.train.compiled import compiled
from darter.train.compiled.operations import argument, operation_name

NETS = (
    "resnet18",
    "resnet26d",
    "resnet50",
    "resnext50_32x4d",
    "ecaresnet26t",
    "hrnet_w18_small",
    "seresnet50",
    "densenet121",
    "dla34",
    "regnety_004",
    "vgg11",
    "mnasnet_100",
    "mobilenetv3_small_100",
    "efficientnet_b0",
    "mobilenetv2_100",
    "resnet34",
    "lcnet_050",
    "tinynet_e",
    "regnetx_002",
    "skresnet18",
    "semnasnet_075",
    "spnasnet_100",
    "resnet10t",
    "resnet14t",
    "seresnet18",
    "mobilenetv3_large_100",
    "efficientnet_lite0",
    "fbnetc_100",
    "hardcorenas_a",
    "repvgg_a0",
    "ese_vovnet19b_dw",
    "mobilenetv4_conv_small_050",
    "gernet_s",
    "rexnet_100",
)


def randomize(net: nn.Module, seed: int = 1) -> nn.Module:
    """Also what begins as 0 or 1: such values hide mistakes."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*net.named_parameters(), *net.named_buffers()]:
            if name.endswith("running_var"):
                value.copy_(torch.rand(value.shape, generator=random) + 0.5)
            elif value.is_floating_point() and value.ndim < 2:
                value.copy_(torch.randn(value.shape, generator=random) * 0.3 + 0.7)
    return net


def _clamped(u: Tensor, z: Tensor, low: float, high: float) -> Tensor:
    return torch.where((z > low) & (z < high), u, u.detach().clamp(low, high))


def _hard_swish(u: Tensor, z: Tensor) -> Tensor:
    zero = (z == 0) & (u < -1)
    return torch.where(z >= 3, u, torch.where(zero, torch.zeros_like(u), u * (u + 3) / 6))


def _pooled(u: Tensor, node: torch.fx.Node, x: Tensor) -> Tensor:
    """Of u, at the places where x is largest."""
    _, at = functional.max_pool2d(x, *node.args[1:], return_indices=True)
    return u.flatten(2).gather(2, at.flatten(2)).view(at.shape)


# What an activation with corners is of u, on the side of each where its result z lies.
SIDES = {
    "relu": lambda node, u, z: _clamped(u, z, 0.0, float("inf")),
    "relu6": lambda node, u, z: _clamped(u, z, 0.0, 6.0),
    "hardtanh": lambda node, u, z: _clamped(
        u, z, argument(node, 1, "min_val", -1.0), argument(node, 2, "max_val", 1.0)
    ),
    "leaky_relu": lambda node, u, z: torch.where(
        z > 0, u, argument(node, 1, "negative_slope", 0.01) * u
    ),
    "hardsigmoid": lambda node, u, z: _clamped(u / 6 + 0.5, z, 0.0, 1.0),
    "hardswish": lambda node, u, z: _hard_swish(u, z),
}


def on_sides(module: nn.Module, x: Tensor, taken: dict[str, Tensor]) -> Tensor:
    """What the module gives, each corner taken on the side where `taken` (by node) lies."""
    program = torch.export.export(module, (x,), strict=False)
    owned = dict(module.named_parameters()) | dict(module.named_buffers())
    signature = program.graph_signature
    names = signature.inputs_to_parameters | signature.inputs_to_buffers
    values: dict[str, object] = {name: owned[full] for name, full in names.items()}
    for name, full in signature.inputs_to_lifted_tensor_constants.items():
        values[name] = program.constants[full]
    for node in program.graph.nodes:
        if node.op == "placeholder":
            values.setdefault(node.name, x)
        elif node.op == "call_function":
            args, kwargs = torch.fx.node.map_arg(
                (node.args, node.kwargs), lambda other: values[other.name]
            )
            name = operation_name(node)
            if name in SIDES and node.name in taken:
                values[node.name] = SIDES[name](node, args[0], taken[node.name])
            elif name == "max_pool2d" and node.args[0].name in taken:
                values[node.name] = _pooled(args[0], node, taken[node.args[0].name])
            else:
                values[node.name] = node.target(*args, **kwargs)
    results = next(node for node in program.graph.nodes if node.op == "output").args[0]
    return values[[r for r in results if values[r.name].ndim][-1].name]


def sides_taken(net: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """One step forward of a compiled net: its result, and what it computes next to corners."""
    traced = net._traced()
    for segment in net.segments:
        near = {node.name: node for node in segment.nodes if operation_name(node) in SIDES}
        pools = [node for node in segment.nodes if operation_name(node) == "max_pool2d"]
        own = {node.name for node in segment.nodes}
        near |= {p.args[0].name: p.args[0] for p in pools if p.args[0].name in own}
        known = {node.name for node in segment.outputs}
        segment.outputs += [node for name, node in near.items() if name not in known]
        segment.plans.clear()
    values = traced.values(x)
    tensors = {n: v for n, v in values.items() if isinstance(v, Tensor) and n != traced.input}
    return values[traced.output], {n: v.detach() for n, v in tensors.items()}


@dataclass(frozen=True)
class Errors:
    """Relative errors of all gradients together.

    forward: of the result.   sides: with the core's sides of corners; whole: of the net as it is;
    pytorch: PyTorch's in this precision, of the net as it is.   refused: what PyTorch ran.
    """

    forward: float
    sides: float
    whole: float
    pytorch: float
    refused: int


def gradients(net: nn.Module) -> list[Tensor]:
    """Taken from the net."""
    taken = [p.grad for p in net.parameters() if p.grad is not None]
    net.zero_grad(set_to_none=True)
    return taken


def relative(found: list[Tensor], wanted: list[Tensor]) -> float:
    """The difference of all together, relative to what is wanted."""
    pairs = list(zip(found, wanted, strict=True))
    off = sum(float((a.double() - b).square().sum()) for a, b in pairs)
    return (off / sum(float(b.square().sum()) for _, b in pairs)) ** 0.5


def measure(name: str, images: int = 4, size: int = 96, precision: str = "float32") -> Errors:
    """One module in turn in the precision and in float64: nets are large."""
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=10, drop_rate=0.0)  # no two draws of it are alike
    module = randomize(net).train()
    x, dy = torch.randn(images, 3, size, size), torch.randn(images, 10)
    net = compiled(module, x, precision=precision)
    refused = len(net.refusals)
    y, taken = sides_taken(net, x)
    y.backward(dy)
    y, ours = y.detach(), gradients(module)
    del net
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        answer = module(x)
    answer.float().backward(dy)
    theirs = gradients(module)
    module, x, dy = module.double(), x.double(), dy.double()
    on_sides(module, x, taken).backward(dy)
    sides = relative(ours, gradients(module))
    truth = module(x)
    truth.backward(dy)
    wanted = gradients(module)
    return Errors(
        forward=relative([y], [truth.detach()]),
        sides=sides,
        whole=relative(ours, wanted),
        pytorch=relative(theirs, wanted),
        refused=refused,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()
    print("net                      forward  same sides    as it is     PyTorch  refused")
    for name in options.nets:
        e = measure(name, options.images, options.size, options.precision)
        print(
            f"{name:<24} {e.forward:>7.1e} {e.sides:>11.1e} {e.whole:>11.1e} {e.pytorch:>11.1e} "
            f"{e.refused:>8}",
            flush=True,
        )


if __name__ == "__main__":
    main()
