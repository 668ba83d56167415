"""Biases that make up for what rounding the weights moves on average.

Source: Nagel et al., "Data-free quantization through weight equalization and bias correction",
arXiv:1906.04721; here the mean of the inputs is measured.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.net import Node


def mean_moved(
    node: Node, change: NDArray[np.floating], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By how much a change of a product's weights moves the mean of its outputs, (K,).

    change: in the shape of the weights.   mean: of the input over the pictures, as one picture.
    A product is linear, so that the mean of its outputs is its output for the mean.
    """
    if node.op == "Conv":
        return _conv(node, change, mean)
    axis = 0 if node.op == "Gemm" else 1
    rows = mean.reshape(-1, mean.shape[-1]).mean(axis=0)
    return np.moveaxis(change, axis, 0) @ rows


def _conv(
    node: Node, change: NDArray[np.floating], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """change (K, C / group, R, S), mean (C, H, W): the padding's zeros count as what they are."""
    filters, per_group, *kernel = change.shape
    given: Any = node.attributes
    group = int(given.get("group", 1))
    strides = given.get("strides", (1,) * len(kernel))
    dilations = given.get("dilations", (1,) * len(kernel))
    pads = given.get("pads", (0,) * 2 * len(kernel))
    taps = mean
    for axis, size in enumerate(kernel):
        around = pads[axis], pads[axis + len(kernel)]
        taps = _means(taps, 1 + axis, size, strides[axis], dilations[axis], around)
    taps = taps.reshape(group, per_group, -1)
    rows = change.reshape(group, filters // group, per_group, -1)
    return np.einsum("gkct,gct->gk", rows, taps).ravel()


def _means(
    x: NDArray, axis: int, size: int, stride: int, dilation: int, pads: tuple[int, int]
) -> NDArray:
    """An axis of pixels replaced by one of taps: the mean of what each tap meets."""
    widths = [(0, 0)] * x.ndim
    widths[axis] = pads
    x = np.pad(x, widths)
    outputs = (x.shape[axis] - dilation * (size - 1) - 1) // stride + 1
    met = [
        np.take(x, range(tap * dilation, tap * dilation + stride * outputs, stride)[:outputs], axis)
        for tap in range(size)
    ]
    return np.stack([part.mean(axis=axis) for part in met], axis)
