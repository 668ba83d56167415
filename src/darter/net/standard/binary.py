"""Layers of +1 and -1 in ONNX's operations, as `passes.binary` recognizes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from darter.net.graph import Node
from darter.net.standard.draft import Draft


def binarize(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    x, threshold = node.inputs
    _sign(draft, node, x, threshold)


def binary_conv(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    slope, shift, *residual = node.inputs[4:]
    y = _product(draft, node, given)
    if residual:
        total = draft.between(node.output)
        draft.emit("Add", (y, *residual), total)
        y = total
    bent = draft.between(node.output)
    draft.emit("PRelu", (y, _pixel(draft, node, slope)), bent)
    draft.emit("Add", (bent, _pixel(draft, node, shift)), node.output)


def binary_conv_bits(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    _sign(draft, node, _product(draft, node, given), node.inputs[4])


def _product(draft: Draft, node: Node, given: Mapping[str, Any]) -> str:
    x, w, scale, bias = node.inputs[:4]
    filters, size = draft.graph.weights[w], draft.graph.weights[scale]
    signed = np.where(filters >= 0, 1, -1) * size.reshape(-1, 1, 1, 1)
    window = {key: tuple(given[key]) for key in ("strides", "pads", "dilations")}
    y = draft.between(node.output)
    draft.emit("Conv", (x, draft.floats(node.output, signed), bias), y, **window)
    return y


def _sign(draft: Draft, node: Node, x: str, threshold: str) -> None:
    reached = draft.between(node.output)
    draft.emit("GreaterOrEqual", (x, _pixel(draft, node, threshold)), reached)
    one, other = draft.floats(node.output, 1.0), draft.floats(node.output, -1.0)
    draft.emit("Where", (reached, one, other), node.output)


def _pixel(draft: Draft, node: Node, name: str) -> str:
    """A weight (C,) as (C, 1, 1)."""
    return draft.floats(node.output, draft.graph.weights[name].reshape(-1, 1, 1))
