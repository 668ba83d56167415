"""How the inputs of each layer vary together, over the pictures that calibrate."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.net import Graph, Node
from darter.quantize.calibrate import runs
from darter.quantize.places import products_of

if TYPE_CHECKING:
    from onnx import ModelProto

PLACES = 32  # of each picture, at random, at which a convolution is looked at
MOST_INPUTS = 2304  # of a filter: 256 channels of 3 × 3; the moments of more take too much memory


@dataclass
class Moments:
    """Of the rows that a layer multiplies its filters by, group by group.

    products: sum of x xᵀ, (groups, inputs, inputs).   total: sum of x, (groups, inputs).
    """

    products: NDArray[np.float32]
    total: NDArray[np.float64]
    count: int = 0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def see(self, rows: NDArray[np.float32]) -> None:
        """rows: (n, groups, inputs)."""
        by_group = rows.transpose(1, 2, 0)
        self.products += by_group @ by_group.transpose(0, 2, 1)
        self.total += rows.sum(axis=0, dtype=np.float64)
        self.count += len(rows)

    def matrix(self, centered: bool) -> NDArray[np.float64]:
        """(groups, inputs, inputs): E[x xᵀ], or where `centered` the covariance: what is left of
        an error whose mean the bias takes off."""
        found = self.products.astype(np.float64) / self.count
        if centered:
            mean = self.total / self.count
            found -= mean[:, :, None] * mean[:, None, :]
        return found


def second_moments(
    model: "ModelProto",
    graph: Graph,
    x: NDArray[np.floating],
    *,
    threads: int | None = None,
) -> dict[str, Moments]:
    """name of a layer -> moments of its inputs for pictures x (N, C, H, W).

    Layers of more than MOST_INPUTS inputs per filter are left out.
    """
    layers = [(n, graph.weights[n.inputs[1]]) for n in products_of(graph)]
    watched: dict[str, tuple[Node, Moments]] = {}
    for node, w in layers:
        groups = int(node.attributes.get("group", 1)) if node.op == "Conv" else 1
        inputs = w.size // w.shape[1 if node.op == "MatMul" else 0]
        if inputs <= MOST_INPUTS and w.ndim in (2, 4):
            empty = np.zeros((groups, inputs, inputs), np.float32)
            watched[node.name] = node, Moments(empty, np.zeros((groups, inputs)))
    tensors = {node.inputs[0]: None for node, _ in watched.values()}
    for part in runs(model, tuple(tensors), x, threads):
        for node, moments in watched.values():
            shape = graph.weights[node.inputs[1]].shape
            moments.see(_rows(node, shape, part[node.inputs[0]], moments.random))
    return {name: moments for name, (_, moments) in watched.items()}


def _rows(
    node: Node, shape: tuple[int, ...], array: NDArray[np.float32], random: np.random.Generator
) -> NDArray[np.float32]:
    """(n, groups, inputs): what filters of a shape are multiplied by at some places."""
    if node.op != "Conv":
        return array.reshape(-1, 1, array.shape[-1])
    given: Any = node.attributes
    kernel, group = shape[2:], int(given.get("group", 1))
    strides, dilations = given.get("strides", (1, 1)), given.get("dilations", (1, 1))
    pads = given.get("pads", (0, 0, 0, 0))
    padded = np.pad(array, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    taps = []
    for size, extent, stride, dilation in zip(
        kernel, padded.shape[2:], strides, dilations, strict=True
    ):
        outputs = (extent - dilation * (size - 1) - 1) // stride + 1
        first = random.integers(outputs, size=PLACES) * stride
        taps.append(first[:, None] + dilation * np.arange(size))
    down, across = taps
    met = padded[:, :, down[:, :, None], across[:, None, :]]  # (N, C, places, R, S)
    n, channels = met.shape[:2]
    by_group = met.reshape(n, group, channels // group, PLACES, *kernel).transpose(0, 3, 1, 2, 4, 5)
    return np.ascontiguousarray(by_group).reshape(n * PLACES, group, -1)
