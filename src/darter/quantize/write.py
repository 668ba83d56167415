"""A graph with QuantizeLinear and DequantizeLinear around what runs on integers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.net import Graph, Node
from darter.quantize.places import BENDS, Places, end_of
from darter.quantize.steps import Steps
from darter.quantize.weights import Filters, whole_bias

NEAR = 1e-6  # relative, of a clip's limit and a range's end that are meant to be the same


@dataclass(frozen=True)
class Layer:
    """A product in integers.   bias: float32, in the units of the output; None without one."""

    filters: Filters
    bias: NDArray[np.float32] | None


def with_integers(
    graph: Graph, places: Places, steps: Mapping[str, Steps], layers: Mapping[str, Layer]
) -> Graph:
    """The graph in QDQ form: standard ONNX, which any runtime may run in float or in integers.

    steps: of each of the places' tensors.   layers: of each product, by the node's name.
    Activations that do no more than the saturation after them are left out.
    """
    writer = _Writer(graph, places, steps)
    for name in graph.inputs:
        writer.quantize(name)
    for node in graph.nodes:
        if node.name in writer.needless:
            continue
        if node.name in layers:
            writer.product(node, layers[node.name])
        else:
            writer.other(node)
        for name in node.outputs:
            writer.quantize(name)
    return writer.graph()


@dataclass
class _Writer:
    old: Graph
    places: Places
    steps: Mapping[str, Steps]
    nodes: list[Node] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.needless: set[str] = set()  # names of activations that saturation does
        self.instead: dict[str, str] = {}  # a product's output -> the quantized tensor behind it
        for node in self.old.nodes:
            end = end_of(self.old, node)
            if end != node.output and self._saturates(end):
                bend = self.old.producer(end)
                assert bend is not None
                self.needless.add(bend.name)
                self.instead[node.output] = end

    def quantize(self, tensor: str) -> None:
        """QuantizeLinear and DequantizeLinear behind a tensor, if it is one of the places."""
        name = self.instead.get(tensor, tensor)
        if name not in self.places.shared:
            return
        given = self.steps[name]
        scale = self._constant(f"{name}.scale", np.float32(given.scale))
        zero = self._constant(f"{name}.zero", np.uint8(given.zero))
        self._emit("QuantizeLinear", (tensor, scale, zero), self._whole(name))
        self._emit("DequantizeLinear", (self._whole(name), scale, zero), self._back(name))

    def product(self, node: Node, layer: Layer) -> None:
        """A product of integers: its weights and its bias are written as such."""
        x = node.inputs[0]
        filters = layer.filters
        scale = self._constant(f"{node.name}.w_scale", filters.scale)
        zero = self._constant(f"{node.name}.w_zero", np.zeros(len(filters.scale), np.int8))
        whole = self._constant(f"{node.name}.w_quantized", filters.q)
        back = self.old.unused(f"{node.name}.w_dequantized")
        self._emit("DequantizeLinear", (whole, scale, zero), back, axis=filters.axis)
        inputs = [self._read(x), back]
        if layer.bias is not None:
            inputs.append(self._bias(node, layer, self.steps[x].scale))
        self.nodes.append(replace(node, inputs=tuple(inputs)))

    def _bias(self, node: Node, layer: Layer, x_scale: float) -> str:
        assert layer.bias is not None
        step = np.float32(x_scale) * layer.filters.scale
        whole = whole_bias(layer.bias, x_scale, layer.filters.scale)
        scale = self._constant(f"{node.name}.b_scale", step)
        zero = self._constant(f"{node.name}.b_zero", np.zeros(len(step), np.int32))
        name = self._constant(f"{node.name}.b_quantized", whole)
        back = self.old.unused(f"{node.name}.b_dequantized")
        self._emit("DequantizeLinear", (name, scale, zero), back, axis=0)
        return back

    def other(self, node: Node) -> None:
        """Any other node reads what was quantized, where it was."""
        self.nodes.append(replace(node, inputs=tuple(map(self._read, node.inputs))))
        for name in node.inputs:
            if self.old.weight(name) is not None:
                self.weights[name] = self.old.weights[name]

    def graph(self) -> Graph:
        return replace(self.old, nodes=tuple(self.nodes), weights=self.weights)

    def _saturates(self, tensor: str) -> bool:
        """Whether the range of a quantized tensor lies within the limits of the activation
        before it, which then changes nothing."""
        bend = self.old.producer(tensor)
        if tensor not in self.places.shared or tensor in self.old.outputs or bend is None:
            return False
        low, high = limits_of(self.old, bend)
        given = self.steps[tensor]
        return given.low >= low - NEAR and given.high <= high * (1 + NEAR) + NEAR

    def _read(self, name: str) -> str:
        return self._back(name) if name in self.places.shared else name

    def _whole(self, name: str) -> str:
        return self.old.unused(f"{name}.quantized")

    def _back(self, name: str) -> str:
        return self.old.unused(f"{name}.dequantized")

    def _constant(self, name: str, array: Any) -> str:
        name = self.old.unused(name)
        self.weights[name] = np.asarray(array)
        return name

    def _emit(self, op: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> None:
        self.nodes.append(Node(op, output, inputs, (output,), attributes))


def limits_of(graph: Graph, bend: Node) -> tuple[float, float]:
    """Between which numbers an activation of `BENDS` changes nothing; none where not constant."""
    assert bend.op in BENDS
    if bend.op == "Relu":
        return 0.0, np.inf
    limits = [-np.inf, np.inf]
    for place, name in enumerate(bend.inputs[1:3]):
        if not name:
            continue
        value = graph.weight(name)
        if value is None or value.size != 1:
            return np.inf, -np.inf  # nothing lies between them
        limits[place] = float(value.ravel()[0])
    return limits[0], limits[1]
