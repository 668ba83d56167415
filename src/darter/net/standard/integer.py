"""Layers of 8-bit integers in ONNX's operations, as `passes.integers` recognizes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from darter.net.graph import Node
from darter.net.standard.draft import Draft


def quantize(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    step, zero = _ends(draft, node, given["step"], given["zero"])
    draft.emit("QuantizeLinear", (*node.inputs, step, zero), node.output)


def dequantize(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    scale, zero = _ends(draft, node, given["scale"], given["zero"])
    draft.emit("DequantizeLinear", (*node.inputs, scale, zero), node.output)


def integer_conv(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """Of numbers in steps of 1; what makes the sums steps of the result is in the filters."""
    x, *names = node.inputs
    w, bias, scale = (np.asarray(draft.graph.weights[name], np.float64) for name in names)
    numbers, product = draft.between(node.output), draft.between(node.output)
    one, x_zero = _ends(draft, node, 1.0, given["x_zero"])
    draft.emit("DequantizeLinear", (x, one, x_zero), numbers)
    window = {key: tuple(given[key]) for key in ("strides", "pads", "dilations")}
    added = draft.floats(node.output, bias * scale)
    if len(draft.shape(x)) == 2:
        rows = draft.floats(node.output, (w * scale.reshape(-1, 1, 1, 1))[:, :, 0, 0])
        draft.emit("Gemm", (numbers, rows, added), product, transB=1)
    else:
        filters = draft.floats(node.output, w * scale.reshape(-1, 1, 1, 1))
        inputs = (numbers, filters, added)
        draft.emit("Conv", inputs, product, group=given["group"], **window)
    _whole(draft, node, product, given)


def integer_add(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """Of numbers in steps of the result."""
    parts, total = [], draft.between(node.output)
    for x, zero, scale in zip(node.inputs, given["zeros"], given["scales"], strict=True):
        parts.append(draft.between(node.output))
        draft.emit("DequantizeLinear", (x, *_ends(draft, node, scale, zero)), parts[-1])
    draft.emit("Add", parts, total)
    _whole(draft, node, total, given)


def integer_scale(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    numbers = draft.between(node.output)
    ends = _ends(draft, node, given["scale"], given["x_zero"])
    draft.emit("DequantizeLinear", (*node.inputs, *ends), numbers)
    _whole(draft, node, numbers, given)


def integer_concat(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """Of numbers in steps of 1, so that it is recognized again."""
    parts, joined = [draft.between(node.output) for _ in node.inputs], draft.between(node.output)
    ends = _ends(draft, node, 1.0, 0)
    for x, part in zip(node.inputs, parts, strict=True):
        draft.emit("DequantizeLinear", (x, *ends), part)
    draft.emit("Concat", parts, joined, axis=1)
    draft.emit("QuantizeLinear", (joined, *ends), node.output)


def _whole(draft: Draft, node: Node, x: str, given: Mapping[str, Any]) -> None:
    """Clip, and quantize in steps of 1."""
    zero = given["zero"]
    if (given["low"], given["high"]) != (0, 255):
        limits = [draft.floats(node.output, given[key] - zero) for key in ("low", "high")]
        clipped = draft.between(node.output)
        draft.emit("Clip", (x, *limits), clipped)
        x = clipped
    draft.emit("QuantizeLinear", (x, *_ends(draft, node, 1.0, zero)), node.output)


def _ends(draft: Draft, node: Node, scale: float, zero: int) -> tuple[str, str]:
    return draft.floats(node.output, scale), draft.whole(node.output, np.uint8(zero))
