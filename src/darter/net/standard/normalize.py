"""Normalization, and what reduces or weighs along an axis."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from darter.net.graph import Node
from darter.net.standard.draft import Draft, Step
from darter.net.standard.elementwise import activation_steps

REDUCTIONS = {
    "mean": "ReduceMean",
    "sum": "ReduceSum",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "l1": "ReduceL1",
    "l2": "ReduceL2",
    "sum_square": "ReduceSumSquare",
    "log_sum": "ReduceLogSum",
    "log_sum_exp": "ReduceLogSumExp",
}


def scale(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    steps = [_per_channel(draft, node), *activation_steps(draft, given)]
    draft.chain(node.inputs[0], steps, node.output)


def _per_channel(draft: Draft, node: Node) -> Step:
    """A batch normalization whose mean is 0 and variance 1 is the node's scale and shift."""
    _, factor, shift = node.inputs
    channels = len(draft.graph.weights[factor])

    def normal(x: str, y: str) -> None:
        mean = draft.floats(node.output, np.zeros(channels))
        variance = draft.floats(node.output, np.ones(channels))
        draft.emit("BatchNormalization", (x, factor, shift, mean, variance), y, epsilon=0.0)

    return normal


def layer_norm(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    epsilon, axis = float(given["epsilon"]), int(given["axis"])
    draft.emit("LayerNormalization", node.inputs, node.output, axis=axis, epsilon=epsilon)


def channel_norm(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    x, factor, shift = node.inputs
    rank, epsilon = len(draft.shape(x)), float(given["epsilon"])
    last, first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    steps: list[Step] = [
        lambda x, y: draft.emit("Transpose", (x,), y, perm=last),
        lambda x, y: draft.emit(
            "LayerNormalization", (x, factor, shift), y, axis=-1, epsilon=epsilon
        ),
        lambda x, y: draft.emit("Transpose", (x,), y, perm=first),
    ]
    draft.chain(x, steps, node.output)


def group_norm(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """As PyTorch writes it: the groups are channels of an instance normalization."""
    groups, shape = int(given["groups"]), [-1, *(s or -1 for s in draft.shape(node.inputs[0])[1:])]
    apart = draft.integers(node.output, (-1, groups, prod(shape[1:]) // groups))
    whole = draft.integers(node.output, shape)
    one, zero = (draft.floats(node.output, np.full(groups, each)) for each in (1, 0))
    epsilon = float(given["epsilon"])
    steps: list[Step] = [
        lambda x, y: draft.emit("Reshape", (x, apart), y),
        lambda x, y: draft.emit("InstanceNormalization", (x, one, zero), y, epsilon=epsilon),
        lambda x, y: draft.emit("Reshape", (x, whole), y),
        _per_channel(draft, node),
    ]
    draft.chain(node.inputs[0], steps, node.output)


def lrn(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    alpha, beta, bias = (float(given[name]) for name in ("alpha", "beta", "bias"))
    size = int(given["size"])
    draft.emit("LRN", node.inputs, node.output, size=size, alpha=alpha, beta=beta, bias=bias)


def softmax(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    op = "LogSoftmax" if given["log"] else "Softmax"
    draft.emit(op, node.inputs, node.output, axis=int(given["axis"]))


def reduce(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    axes = draft.integers(node.output, given["axes"])
    keep = int(given["keep_dims"])
    draft.emit(REDUCTIONS[given["function"]], (*node.inputs, axes), node.output, keepdims=keep)
