"""A float net made ready to be quantized, and quantized by settings."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, OptionError
from darter.model import ModelInfo, graph_of, read_signature, write_info
from darter.net import Graph, Node, read_graph, read_model, to_model, with_graph
from darter.quantize.calibrate import Progress, Seen, calibrate
from darter.quantize.correct import mean_moved
from darter.quantize.equalize import equalize
from darter.quantize.moments import Moments, second_moments
from darter.quantize.places import Places, places, products_of
from darter.quantize.ranges import METHODS
from darter.quantize.steps import Steps
from darter.quantize.weights import Filters, quantized_filters
from darter.quantize.write import Layer, with_integers

if TYPE_CHECKING:
    from onnx import ModelProto

QUANTIZED = re.compile("QuantizeLinear|Integer|^QLinear|^QGemm")  # operations on integers
BITS = (7, 8)  # of weights


@dataclass(frozen=True)
class Settings:
    """How to quantize.

    method: of `METHODS`, for ranges of activations.   bits: of weights.   correct: biases make up
    for what rounding moves.   equalize: channels between layers are brought to one size first.
    fit: weights are rounded by least squares of the outputs, else to the nearest.   keep: names of
    layers that stay in float.
    """

    method: str = "mse"
    bits: int = 8
    correct: bool = True
    equalize: bool = False
    fit: bool = False
    keep: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            known = ", ".join(METHODS)
            raise OptionError(f"calibration must be one of {known}; got {self.method!r}")
        if self.bits not in BITS:
            raise OptionError(f"weights take 8 bits or 7, not {self.bits}")


@dataclass(frozen=True)
class FloatNet:
    """A file's net as darter runs it (batch normalization is part of the convolutions), written in
    ONNX's operations.   seen: what its tensors hold, once it is calibrated.   again: looks at the
    same pictures once more, for how inputs of layers vary together."""

    model: "ModelProto"
    graph: Graph
    seen: Seen | None = None
    again: Callable[[], dict[str, Moments]] | None = field(default=None, repr=False)
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of what multiplies by weights."""
        return tuple(node.name for node in products_of(self.graph))

    def calibrated(
        self,
        x: NDArray[np.floating],
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> "FloatNet":
        """The same net, with what its tensors hold for pictures x (N, C, H, W)."""
        tensors = places(self.graph).tensors
        seen = calibrate(self.model, tensors, x, threads=threads, progress=progress)
        again = partial(second_moments, self.model, self.graph, x, threads=threads)
        return replace(self, seen=seen, again=again, kept={})

    def equalized(self) -> "FloatNet":
        """A net that computes the same and quantizes better, or the same one; not calibrated."""
        assert self.seen is not None
        graph = equalize(self.graph, self.seen.largest)
        return FloatNet(with_graph(self.model, graph), graph)

    def quantized(self, settings: Settings) -> "ModelProto":
        """The net in QDQ form: standard ONNX, with the metadata of its file."""
        chosen = places(self.graph, self.check_names(settings.keep))
        steps = self._steps(chosen, settings.method)
        by_name = {node.name: node for node in self.graph.nodes}
        layers = {
            name: self._layer(by_name[name], steps[by_name[name].inputs[0]].scale, settings)
            for name in chosen.products
        }
        return with_graph(self.model, with_integers(self.graph, chosen, steps, layers))

    def check_names(self, names: Collection[str]) -> Collection[str]:
        """The names of layers to keep. OptionError for one that no layer has."""
        unknown = sorted(set(names) - {node.name for node in self.graph.nodes})
        if unknown:
            some = ", ".join(self.layers[:5])
            raise OptionError(f"no layer is called {unknown[0][:60]!r}; the first are {some}")
        return names

    def _steps(self, chosen: Places, method: str) -> dict[str, Steps]:
        """Of each tensor: the range of its group is that of all its members together."""
        assert self.seen is not None, "calibrate first"
        ranges: dict[str, Any] = {}
        for name, group in chosen.shared.items():
            found = self._range(name, method)
            ranges[group] = found.union(ranges[group]) if group in ranges else found
        return {name: ranges[group].steps() for name, group in chosen.shared.items()}

    def _range(self, name: str, method: str) -> Any:
        assert self.seen is not None
        key = name, method
        if key not in self.kept:
            self.kept[key] = METHODS[method](self.seen.observed[name])
        return self.kept[key]

    def _moments(self, layer: str, centered: bool) -> NDArray[np.float64] | None:
        assert self.again is not None, "calibrate first"
        if "moments" not in self.kept:
            self.kept["moments"] = self.again()
        found = self.kept["moments"].get(layer)
        return None if found is None else found.matrix(centered)

    def _layer(self, node: Node, x_scale: float, settings: Settings) -> Layer:
        key = node.name, x_scale, settings.bits, settings.correct, settings.fit
        if key not in self.kept:
            self.kept[key] = self._rounded(node, x_scale, settings)
        return self.kept[key]

    def _rounded(self, node: Node, x_scale: float, settings: Settings) -> Layer:
        assert self.seen is not None
        w = np.asarray(self.graph.weights[node.inputs[1]], np.float32)
        bias = None
        if len(node.inputs) > 2 and node.inputs[2]:
            bias = np.asarray(self.graph.weights[node.inputs[2]], np.float32)
        axis = 1 if node.op == "MatMul" else 0
        corrected = settings.correct and bias is not None
        filters: Filters = quantized_filters(
            w, axis, bits=settings.bits, bias=bias, x_scale=x_scale,
            moments=self._moments(node.name, corrected) if settings.fit else None,
        )  # fmt: skip
        if bias is not None and corrected:
            change = filters.floats() - w
            moved = mean_moved(node, change, self.seen.mean[node.inputs[0]])
            bias = (bias - moved).astype(np.float32)
        return Layer(filters, bias)


def read_float_net(path: Path, info: ModelInfo) -> FloatNet:
    """A model file as a net that can be quantized, with what is known of it written into it.

    Raises ModelFileError where it is quantized already or has no layers with weights;
    UnsupportedError for what darter's engine does not run or ONNX cannot say.
    """
    opened = read_model(path)
    if any(QUANTIZED.search(node.op_type) for node in opened.proto.graph.node):
        raise ModelFileError(
            f"{path} is quantized already; start from the float file that it was made of"
        )
    names = read_signature(opened).names
    metadata = {entry.key: entry.value for entry in opened.proto.metadata_props}
    model = to_model(graph_of(path, improved=True), outputs=names, metadata=metadata)
    write_info(model, info)
    graph = _with_names(read_graph(model, path.parent))
    net = FloatNet(model, graph)
    if not net.layers:
        raise ModelFileError(f"{path} has no layer that multiplies by weights: nothing to quantize")
    return net


def _with_names(graph: Graph) -> Graph:
    """Products are called as their weights, which have the names that training knew."""
    products = products_of(graph)
    names = {node.name: node.name for node in graph.nodes}
    taken = set(names) - {node.name for node in products}
    for node in products:
        weight = re.sub(r"[._/]?(weight|kernel|w)$", "", node.inputs[1])
        name = node.name if not weight or weight.startswith("onnx::") else weight
        while name in taken:
            name += "'"
        taken.add(name)
        names[node.name] = name
    return replace(graph, nodes=tuple(replace(n, name=names[n.name]) for n in graph.nodes))
