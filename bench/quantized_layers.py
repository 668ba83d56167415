"""Layers of a quantized file, each on its own: the same integers into darter and ONNX Runtime.

A layer is what a file computes between tensors of integers that darter has as well. Their numbers
are taken out of darter's whole net as it runs; ONNX Runtime gets the inputs of each layer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

from darter.net import Graph, Node, Program, build, needed, read_model

Arrays = Mapping[str, NDArray[np.generic]]
WHOLE = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}
ZERO = {  # of y, among the inputs
    "QuantizeLinear": 2, "QLinearConv": 7, "QLinearMatMul": 7, "QLinearAdd": 7, "QLinearMul": 7,
    "QGemm": 8, "QLinearConcat": 1, "QLinearGlobalAveragePool": 4, "QLinearAveragePool": 4,
    "QLinearSigmoid": 4, "QLinearLeakyRelu": 4,
}  # fmt: skip
MOVES = ("MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze")


@dataclass(frozen=True)
class Layer:
    """inputs: names of integers, or the picture.   model: gives `output`, integers, of them."""

    inputs: tuple[str, ...]
    output: str
    model: ModelProto


def run(model: ModelProto, feed: Arrays, level: GraphOptimizationLevel) -> NDArray[np.generic]:
    """By ONNX Runtime."""
    options = SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    session = InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, dict(feed))[0])


def integers_of(path: Path, size: int, x: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Tensors of integers by their names in the file, as darter computes them on its way."""
    model = onnx.load(str(path))
    graph = build(read_model(path), "x", x.shape[1:], tuple(y.name for y in model.graph.output))
    makers = {each.output: each for each in graph.nodes}
    kinds = {name: kind for name, kind in _kinds(model).items() if name in makers}
    found = Program(_giving(graph, [makers[name] for name in kinds]), len(x)).run(x)
    values: dict[str, NDArray[np.generic]] = {}
    for (name, kind), value in zip(kinds.items(), found, strict=True):
        kept = value + (np.iinfo(kind).min if _on_integers(makers[name]) else 0)
        values[name] = np.rint(kept).astype(kind)
    return values


def layers_of(path: Path, known: Arrays) -> Iterator[Layer]:
    """The layers between tensors of integers that are known."""
    model = onnx.load(str(path))
    constants = {each.name: each for each in model.graph.initializer}
    makers = {name: each for each in model.graph.node for name in each.output}

    def value_info(name: str) -> onnx.ValueInfoProto:
        kind = WHOLE[known[name].dtype] if name in known else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, None)

    for output in known:
        nodes: list[NodeProto] = []
        inputs: list[str] = []
        left, seen = [output], {""}
        while left:
            name = left.pop()
            if name in seen or name in constants:
                continue
            seen.add(name)
            if name not in makers or (name in known and name != output):
                inputs.append(name)
            elif makers[name] not in nodes:
                nodes.append(makers[name])
                left += makers[name].input
        ordered = [each for each in model.graph.node if each in nodes]
        used = dict.fromkeys(name for each in ordered for name in each.input if name in constants)
        made = helper.make_graph(
            ordered, "layer", [*map(value_info, inputs)], [value_info(output)],
            [constants[name] for name in used],
        )  # fmt: skip
        imports = {"ir_version": model.ir_version, "opset_imports": model.opset_import}
        yield Layer(tuple(inputs), output, helper.make_model(made, **imports))


def by_definition(model: ModelProto) -> ModelProto:
    """Operators on integers as what they stand for: numbers, the operation on numbers, integers."""
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    made = ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    for each in model.graph.node:
        plain = each.op_type.startswith("Q") and each.op_type != "QuantizeLinear"
        made.graph.node.extend(_in_numbers(each, values, made) if plain else [each])
    return made


def _in_numbers(each: NodeProto, values: Arrays, model: ModelProto) -> Iterator[NodeProto]:
    op = "Gemm" if each.op_type == "QGemm" else each.op_type.removeprefix("QLinear")
    given, y, numbers = list(each.input), ZERO[each.op_type], f"{each.output[0]}.numbers"
    sources = [given[i : i + 3] for i in range(0, len(given), 3)]
    bias = ""
    if op == "Concat":
        sources = [given[i : i + 3] for i in range(2, len(given), 3)]
    elif op in ("Conv", "Gemm"):
        sources = [given[0:3], given[3:6]]
        bias = next(iter(given[8:9] if op == "Conv" else given[6:7]), "")
    else:
        sources = sources[: (y - 1) // 3]
    parts = []
    for number, source in enumerate(sources):
        parts.append(f"{numbers}.{number}")
        columns = op == "MatMul" or (op == "Gemm" and not _attribute(each, "transB"))
        axis = 1 if columns or number == 0 else 0
        yield helper.make_node("DequantizeLinear", source, [parts[-1]], axis=axis)
    if bias:
        step = (values[given[1]] * values[given[4]]).astype(np.float32)
        array = (values[bias] * step.astype(np.float64)).astype(np.float32)
        parts.append(f"{numbers}.bias")
        model.graph.initializer.append(numpy_helper.from_array(array, parts[-1]))
    kept = {a.name: helper.get_attribute_value(a) for a in each.attribute}
    kept.pop("channels_last", None)
    floats = y >= len(given)  # a QGemm that gives numbers
    yield helper.make_node(op, parts, [each.output[0] if floats else numbers], **kept)
    if not floats:
        yield helper.make_node("QuantizeLinear", [numbers, *given[y - 1 : y + 1]], each.output)


def _attribute(each: NodeProto, name: str) -> int:
    return next((a.i for a in each.attribute if a.name == name), 0)


def _kinds(model: ModelProto) -> dict[str, np.dtype]:
    """Every tensor of integers that is computed, and of which kind it is."""
    values = {each.name: each for each in model.graph.initializer}
    kinds: dict[str, np.dtype] = {}
    for each in model.graph.node:
        place = ZERO.get(each.op_type)
        constant = each.op_type == "QuantizeLinear" and each.input[0] in values
        if each.op_type in MOVES and each.input[0] in kinds:
            kinds[each.output[0]] = kinds[each.input[0]]
        elif place is not None and place < len(each.input) and not constant:
            kinds[each.output[0]] = numpy_helper.to_array(values[each.input[place]]).dtype
    return kinds


def _on_integers(each: Node) -> bool:
    return each.op == "Quantize" or each.op.startswith("Integer")


def _giving(graph: Graph, makers: list[Node]) -> Graph:
    """The graph, with what these nodes give as outputs."""
    outputs, more = [], []
    for each in makers:
        name = f"{each.output}.given" if _on_integers(each) else each.output
        if _on_integers(each):
            whole = {"scale": 1.0, "zero": 0}
            more.append(Node("Dequantize", name, (each.output,), (name,), whole))
        outputs.append(name)
    return needed(replace(graph, nodes=(*graph.nodes, *more), outputs=tuple(outputs)))
