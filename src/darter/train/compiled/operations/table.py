"""Which of PyTorch's operations a segment may hold, and how their nodes are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import fx

from darter.kernels import Activated, ActivationKind

if TYPE_CHECKING:
    from darter.train.compiled.writer import Writer

Operation = Callable[["Writer", fx.Node], None]
CLAMPS = (ActivationKind.none, ActivationKind.relu, ActivationKind.clip)
OPERATIONS: dict[str, Operation] = {}


def operation(*names: str) -> Callable[[Operation], Operation]:
    def put(function: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return put


def argument(node: fx.Node, place: int, name: str, default: Any = None) -> Any:
    """As PyTorch's schema numbers and names it."""
    if len(node.args) > place:
        return node.args[place]
    return node.kwargs.get(name, default)


ACTIVATIONS: dict[str, Callable[[fx.Node], Activated]] = {
    "relu": lambda node: (ActivationKind.relu, 0.0, 0.0),
    "relu6": lambda node: (ActivationKind.clip, 0.0, 6.0),
    "hardtanh": lambda node: (
        ActivationKind.clip,
        float(argument(node, 1, "min_val", -1.0)),
        float(argument(node, 2, "max_val", 1.0)),
    ),
    "leaky_relu": lambda node: (
        ActivationKind.leaky_relu,
        float(argument(node, 1, "negative_slope", 0.01)),
        0.0,
    ),
    "elu": lambda node: (ActivationKind.elu, float(argument(node, 1, "alpha", 1.0)), 0.0),
    "silu": lambda node: (ActivationKind.swish, 0.0, 0.0),
    "sigmoid": lambda node: (ActivationKind.sigmoid, 0.0, 0.0),
    "hardsigmoid": lambda node: (ActivationKind.hard_sigmoid, 1 / 6, 0.5),
    "hardswish": lambda node: (ActivationKind.hard_swish, 0.0, 0.0),
    "tanh": lambda node: (ActivationKind.tanh, 0.0, 0.0),
    "gelu": lambda node: (ActivationKind.gelu, 0.0, 0.0),
}


def operation_name(node: fx.Node) -> str:
    """Like conv2d; of functions that work in place without their mark."""
    return str(node.target).removeprefix("aten.").split(".")[0].rstrip("_")


def activation_of(node: fx.Node) -> Activated | None:
    """What the node applies, or None where it is no activation that has a gradient here."""
    name = operation_name(node)
    if name not in ACTIVATIONS or (
        name == "gelu" and node.kwargs.get("approximate", "none") != "none"
    ):
        return None
    if name == "elu" and (len(node.args) > 2 or node.kwargs.keys() - {"alpha"}):
        return None
    return ACTIVATIONS[name](node)
