"""Activations and arithmetic."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from darter.net.graph import Node
from darter.net.ops import Activation
from darter.net.standard.draft import Draft, Step

FLOAT = 1  # ONNX's number of the type
BINARY = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "pow": "Pow",
    "min": "Min",
    "max": "Max",
}
COMPARISONS = {"less": "Less", "less_equal": "LessOrEqual", "equal": "Equal"}
PLAIN = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "hard_swish": "HardSwish",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "mish": "Mish",
    "erf": "Erf",
    "exp": "Exp",
    "sqrt": "Sqrt",
    "reciprocal": "Reciprocal",
}


def _whole(draft: Draft, low: float, x: str, y: str) -> None:
    """Whole numbers of 8 bits from `low` on: quantized in steps of 1, and back."""
    steps, rounded = draft.floats(y, 1.0), draft.between(y)
    zero = draft.whole(y, np.uint8(-low))
    draft.emit("QuantizeLinear", (x, steps, zero), rounded)
    draft.emit("DequantizeLinear", (rounded, steps, zero), y)


def activate(draft: Draft, activation: Activation, x: str, y: str) -> None:
    """Emit y = activation(x)."""
    kind, a, b = activation.kind, activation.a, activation.b
    if kind in PLAIN:
        draft.emit(PLAIN[kind], (x,), y)
    elif kind == "clip":
        low = draft.floats(y, a) if np.isfinite(a) else ""
        high = draft.floats(y, b) if np.isfinite(b) else ""
        inputs = (x, low, high) if high else (x, low) if low else (x,)
        draft.emit("Clip" if low or high else "Identity", inputs, y)
    elif kind == "swish":
        gate = draft.between(y)
        draft.emit("Sigmoid", (x,), gate)
        draft.emit("Mul", (x, gate), y)
    elif kind == "round_clip":
        _whole(draft, a, x, y)
    elif kind == "power":
        draft.emit("Pow", (x, draft.floats(y, a)), y)
    elif kind == "hard_sigmoid":
        draft.emit("HardSigmoid", (x,), y, alpha=float(a), beta=float(b))
    elif kind in ("gelu", "gelu_tanh"):
        draft.emit("Gelu", (x,), y, approximate="tanh" if kind == "gelu_tanh" else None)
    else:
        draft.emit({"leaky_relu": "LeakyRelu", "elu": "Elu"}[kind], (x,), y, alpha=float(a))


def activation_steps(draft: Draft, given: Mapping[str, Any]) -> list[Step]:
    """None or one."""
    activation = given["activation"]
    if activation is None:
        return []
    return [lambda x, y: activate(draft, activation, x, y)]


def activation_node(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    activate(draft, given["activation"], node.inputs[0], node.output)


def eltwise(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    function = given["function"]

    def arithmetic(x: str, y: str) -> None:
        if function in BINARY:
            draft.emit(BINARY[function], node.inputs, y)
            return
        truth = draft.between(y)
        draft.emit(COMPARISONS[function], node.inputs, truth)
        draft.emit("Cast", (truth,), y, to=FLOAT)

    steps: list[Step] = [arithmetic, *activation_steps(draft, given)]
    draft.chain(node.inputs[0], steps, node.output)


def where(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    condition, a, b = node.inputs
    is_zero, truth = draft.between(node.output), draft.between(node.output)
    draft.emit("Equal", (condition, draft.floats(node.output, 0.0)), is_zero)
    draft.emit("Not", (is_zero,), truth)
    draft.emit("Where", (truth, a, b), node.output)


def prelu(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    draft.emit("PRelu", node.inputs, node.output)


def arg(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """The place as a float, as all tensors of darter are."""
    whole = draft.between(node.output)
    draft.emit(
        "ArgMin" if given["least"] else "ArgMax",
        node.inputs,
        whole,
        axis=given["axis"],
        keepdims=int(given["keep_dims"]),
        select_last_index=int(given["last"]),
    )
    draft.emit("Cast", (whole,), node.output, to=FLOAT)
