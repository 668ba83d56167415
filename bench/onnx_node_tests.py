"""The ONNX project's own tests of single operations, run on darter and counted.

    python bench/onnx_node_tests.py            the table, as in docs/operations.md
    python bench/onnx_node_tests.py --write    replaces the table in docs/operations.md

A test gives a net of one operation (or its expansion into several), inputs and outputs. darter
runs nets with constant weights: all inputs are pictures first; if that is refused, all but the
first become constants. `OPS` are the operations that classifiers need. Of operations with
optional outputs that only training needs (`FIRST_OUTPUT`), the first output is compared.
"""

import argparse
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from darter.errors import DarterError, UnsupportedError
from darter.net.graph import Graph, Node, node
from darter.net.onnx.reader import OLDEST_OPSET, read_graph
from darter.net.passes import improve
from darter.net.plan import Program
from darter.net.translate import translate

OPS = (
    *("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "LRN", "Pad", "Resize"),
    *("BatchNormalization", "LayerNormalization", "Softmax", "ReduceMean", "Gemm", "MatMul"),
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Swish"),
    *("Gelu", "Erf", "Add", "Sub", "Mul", "Div", "Concat", "Split", "Flatten", "Reshape"),
    *("Squeeze", "Unsqueeze", "Transpose", "Dropout", "Identity", "Constant", "Shape"),
    *("InstanceNormalization", "GroupNormalization", "LpNormalization", "ConvTranspose"),
    *("DepthToSpace", "SpaceToDepth", "LSTM", "GRU", "Einsum", "Where", "ArgMax", "ArgMin"),
    *("TopK", "GatherElements"),
    *("Selu", "Celu", "ThresholdedRelu", "Softsign", "Abs", "Gather", "Slice"),
)
FIRST_OUTPUT = ("BatchNormalization", "Dropout", "LayerNormalization", "MaxPool")
Run = Callable[..., list[np.ndarray]]
DOCS = Path(__file__).parent.parent / "docs" / "operations.md"
MARK = "<!-- the table below is printed by bench/onnx_node_tests.py -->\n"


@dataclass(frozen=True, order=True)
class Outcome:
    """passed, refused or wrong; `why` for the last two."""

    op: str
    name: str
    state: str
    why: str = ""


def cases() -> Iterator[Any]:
    """The tests of `OPS`, by operation and name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        found = load_model_tests(kind="node")
    return (case for case in found if operation(case) in OPS)


def operation(case: Any) -> str:
    """The operation that a test is about; of an expanded one, by its name."""
    if len(case.model.graph.node) == 1:
        return case.model.graph.node[0].op_type
    words = case.name.removeprefix("test_").replace("_", "")
    return max((op for op in OPS if words.startswith(op.lower())), key=len, default="")


def outcome(case: Any, run: Run) -> Outcome:
    """Run one test. run(graph, *inputs) -> outputs."""
    op, why = operation(case), ""
    for constants in (False, True):
        try:
            wrong = [_differs(case, *data, constants, run) for data in case.data_sets]
        except DarterError as error:
            why = str(error)
            continue
        reason = next((each for each in wrong if each), "")
        return Outcome(op, case.name, "wrong" if reason else "passed", reason)
    return Outcome(op, case.name, "refused", why)


def _differs(case: Any, inputs: list, outputs: list, constants: bool, run: Run) -> str:
    """What is wrong with the answers; empty if nothing is."""
    graph, given = _graph(case, inputs, constants)
    results = run(graph, *given)
    wanted = outputs[: len(graph.outputs)]
    for name, got, expected in zip(graph.outputs, results, wanted, strict=True):
        if got.shape != expected.shape:
            return f"{name} has shape {got.shape}, expected {expected.shape}"
        limits = {"rtol": case.rtol, "atol": max(case.atol, 1e-5), "equal_nan": True}
        if not np.allclose(got, expected, **limits):
            return f"{name} differs by {np.abs(got - expected).max():.2g}"
    return ""


def _graph(case: Any, inputs: list, constants: bool) -> tuple[Graph, list[np.ndarray]]:
    """The test's graph with shapes for the inputs that vary; whole numbers never do."""
    raw = read_graph(case.model, Path())
    if raw.opset < OLDEST_OPSET:
        raise UnsupportedError(f"ONNX operations of version {raw.opset}")
    if operation(case) in FIRST_OUTPUT:
        raw = replace(raw, outputs=raw.outputs[:1])
    weights, shapes, given = dict(raw.weights), {}, []
    for name, value in zip(raw.inputs, inputs, strict=True):
        if value is None:
            continue
        if isinstance(value, list):
            raise UnsupportedError("takes sequences")
        floating = np.asarray(value).dtype in (np.float16, np.float32)
        if not shapes and not floating:
            raise UnsupportedError(f"computes with {np.asarray(value).dtype}")
        if floating and not (constants and shapes):
            shapes[name] = value.shape
            given.append(value)
        else:
            weights[name] = np.asarray(value)
    nodes = raw.nodes
    if operation(case) in ("Constant", "Shape"):
        shapes, given = {**shapes, "zero": ()}, [*given, np.float32(0)]
        nodes, outputs = _plus_zero(nodes, raw.outputs)
        raw = replace(raw, outputs=outputs)
    graph = Graph(nodes, shapes, raw.outputs, weights, raw.opset)
    return improve(translate(graph, shapes, raw.outputs)), given


def _plus_zero(nodes: tuple[Node, ...], outputs: tuple[str, ...]) -> tuple:
    """What is constant becomes an output that is computed, so that there is a net to run."""
    sums = [node("Add", f"{name}+0", (name, "zero"), f"{name}+0") for name in outputs]
    return (*nodes, *sums), tuple(each.output for each in sums)


def table(outcomes: list[Outcome]) -> str:
    """Counts for each operation, then what is refused, by reason."""
    import onnx

    counts: dict[str, Counter] = defaultdict(Counter)
    for each in outcomes:
        counts[each.op][each.state] += 1
    lines = [f"Tests of onnx {onnx.__version__}:", ""]
    lines += ["| operation | passed | refused | wrong |", "|---|---|---|---|"]
    for op in sorted(counts):
        c = counts[op]
        lines.append(f"| {op} | {c['passed']} | {c['refused']} | {c['wrong']} |")
    total = Counter(each.state for each in outcomes)
    lines.append(f"| **all** | {total['passed']} | {total['refused']} | {total['wrong']} |")
    for state in ("refused", "wrong"):
        listed = sorted(each for each in outcomes if each.state == state)
        if listed:
            lines += ["", f"{state.capitalize()}:", ""]
            lines += [f"- `{each.name.removeprefix('test_')}`: {each.why}" for each in listed]
    return "\n".join(lines) + "\n"


def compiled(graph: Graph, *inputs: np.ndarray) -> list[np.ndarray]:
    """The engine itself."""
    program = Program(graph, 1)
    results = program.run(*inputs)
    return results if isinstance(results, list) else [results]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace the table in the docs")
    options = parser.parse_args()
    text = table([outcome(case, compiled) for case in cases()])
    if options.write:
        head, _, _ = DOCS.read_text().partition(MARK)
        DOCS.write_text(head + MARK + "\n" + text)
    else:
        print(text)


if __name__ == "__main__":
    main()
