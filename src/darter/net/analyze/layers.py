"""One row per layer of a model file: what it costs, what it sees, what it takes on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

from darter import machine
from darter.net.analyze.fields import Field, fields
from darter.net.analyze.time import Times, measured
from darter.net.analyze.weights import computed, weights_by_layer
from darter.net.build import understood
from darter.net.graph import Graph, Node
from darter.net.infer import Dims, infer
from darter.net.onnx.modelfile import ModelFile
from darter.net.passes import improve
from darter.net.plan import Options

FLOAT = 4  # bytes
PRODUCTS = (
    "Conv",
    "BinaryConv",
    "BinaryConvBits",
    "IntegerConv",
    "Gemm",
    "MatMul",
    "Recurrent",
)  # what multiplies and adds


@dataclass(frozen=True)
class Layer:
    """One node of the file, for one picture.

    tensor, shape: name and shape of its output.   weights: numbers that were learned.
    multiply_adds: of convolutions and matrix products, by the direct algorithm; one is two FLOPs.
    activation_bytes: read and written, float32.
    field, stride, offset: rows and columns of the picture that a unit sees, how far its neighbor's
    are from them, and where those of the first unit begin (padding is negative, reflected pixels
    count as padding); stride is 0 where every unit sees the same.
    sees_all: whether every unit sees the whole picture.
    ms, algorithm: as it ran here; 0 ms and "" where the engine has made it a part of another layer.
    """

    name: str
    op: str
    tensor: str
    shape: Dims
    weights: int
    multiply_adds: int
    activation_bytes: int
    weight_bytes: int
    field: tuple[float, float]
    stride: tuple[float, float]
    offset: tuple[float, float]
    ms: float = 0.0
    share: float = 0.0
    algorithm: str = ""
    sees_all: bool = False

    @property
    def intensity(self) -> float:
        """FLOPs per byte read or written."""
        moved = self.activation_bytes + self.weight_bytes
        return 2 * self.multiply_adds / moved if moved else 0.0

    @property
    def gflops(self) -> float:
        """FLOPs of the direct algorithm per nanosecond."""
        return 2e-6 * self.multiply_adds / self.ms if self.ms else 0.0

    def to_json(self) -> dict[str, Any]:
        where = {key: _whole(getattr(self, key)) for key in ("field", "stride", "offset")}
        return {**asdict(self), **where, "intensity": self.intensity, "gflops": self.gflops}


@dataclass(frozen=True)
class Analysis:
    """All layers that compute something from the picture, and the net as a whole.

    ms: of `batch` pictures, the sum of all steps, of each its fastest of `runs` runs: of the layers
    and of `other_ms`, what belongs to no layer (copies in and out).
    """

    model: str
    picture: Dims
    layers: tuple[Layer, ...]
    batch: int
    threads: int
    precision: str
    ms: float
    other_ms: float
    cpu: str
    runs: int

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def gflops(self) -> float:
        return 2e-6 * self.multiply_adds * self.batch / self.ms if self.ms else 0.0

    def to_json(self) -> dict[str, Any]:
        known = {k: v for k, v in asdict(self).items() if k != "layers"}
        totals = {name: getattr(self, name) for name in ("weights", "multiply_adds", "gflops")}
        return {**known, **totals, "layers": [layer.to_json() for layer in self.layers]}


def analyze(
    model: ModelFile,
    name: str,
    picture: Dims,
    outputs: tuple[str, ...],
    *,
    batch: int = 1,
    threads: int | None = None,
    precision: str = "float32",
    runs: int = 5,
    written: int | None = None,
    channels_last: bool = False,
) -> Analysis:
    """What each layer of a file costs and sees.

    name, picture, outputs, written: as for `build`.   channels_last: pictures are (H, W, C).
    runs: that are timed at least; 0 measures no time.
    Raises what `build` raises.
    """
    threads = threads or machine.available_cpus()
    options = Options(threads, precision)  # refuses what cannot be
    read, graph = understood(model, name, picture, outputs, written=written)
    layers = _counted(read, graph, channels_last)
    times = Times({}, {}, 0.0, 0)
    if runs:
        times = measured(improve(graph), batch, options, runs)
    total = times.whole
    timed = tuple(
        replace(
            layer,
            ms=times.ms.get(layer.name, 0.0),
            share=times.ms.get(layer.name, 0.0) / total if total else 0.0,
            algorithm=times.algorithms.get(layer.name, ""),
            sees_all=_sees_all(layer, picture, channels_last),
        )
        for layer in layers
    )
    other = max(0.0, total - sum(layer.ms for layer in timed))
    cpu = machine.describe()["cpu"]
    return Analysis(
        str(model.path), picture, timed, batch, threads, precision, total, other, cpu, times.runs
    )


def _whole(numbers: tuple[float, float]) -> tuple[float, ...]:
    """Whole numbers as integers."""
    return tuple(int(x) if x.is_integer() else x for x in map(float, numbers))


def _sees_all(layer: Layer, picture: Dims, channels_last: bool) -> bool:
    """Whether the fields of the first and of the last unit both cover the picture."""
    if not any(layer.stride):
        return True
    if channels_last or len(layer.shape) != 4:
        return False
    sides = zip(layer.shape[2:], picture[1:], layer.field, layer.stride, layer.offset, strict=True)
    return all(
        first <= 0 and (count - 1) * stride + first <= 0 and first + size >= side
        for count, side, size, stride, first in sides
    )


def _counted(read: Graph, graph: Graph, channels_last: bool) -> list[Layer]:
    """The layers without their times."""
    weights, shapes = weights_by_layer(read), infer(graph, 1)
    seen = fields(graph, channels_last=channels_last)
    parts: dict[str, list[Node]] = {}
    for node in graph.nodes:
        parts.setdefault(node.name, []).append(node)
    layers: dict[str, Layer] = {}
    for source in computed(read):
        mine = [n for n in parts.get(source.name, ()) if any(o in seen for o in n.outputs)]
        if mine and source.name not in layers:
            layers[source.name] = _layer(source, mine, weights, shapes, seen)
    return [*layers.values()]


def _layer(
    source: Node,
    parts: Sequence[Node],
    weights: Mapping[str, int],
    shapes: Mapping[str, Dims],
    seen: Mapping[str, Field],
) -> Layer:
    made = {name for part in parts for name in part.outputs if name}
    read = {name for part in parts for name in part.inputs if name in seen} - made
    last = next((n for n in source.outputs if n in made), parts[-1].output)
    field = seen[last]
    count = weights.get(source.name, 0)
    return Layer(
        source.name,
        source.op,
        last,
        shapes[last],
        count,
        sum(_multiply_adds(part, shapes) for part in parts),
        FLOAT
        * sum(prod(shapes[name]) for name in {*read, *(n for n in source.outputs if n in made)}),
        FLOAT * count,
        (field.rows.size, field.columns.size),
        (field.rows.stride, field.columns.stride),
        (field.rows.first, field.columns.first),
    )


def _multiply_adds(node: Node, shapes: Mapping[str, Dims]) -> int:
    """Of convolutions and matrix products."""
    if node.op not in PRODUCTS:
        return 0
    outputs = sum(prod(shapes[name]) for name in node.outputs if name)
    if node.op == "MatMul":
        return outputs * shapes[node.inputs[0]][-1]
    return outputs * prod(shapes[node.inputs[1]][1:])
