"""Graphs written as ONNX compute the same in ONNX Runtime, and in darter after they are read."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from bench.agreement import NETS, REFUSED, export, make, pictures
from darter.errors import ModelFileError, OptionError, UnsupportedError
from darter.net import OPS, Graph, Program, model_in_memory, read_graph, to_model, with_graph
from darter.net.graph import node
from darter.net.passes import improve
from darter.net.standard import STANDARD, standard
from tests.net.onnx_nets import N, graph_of, net
from tests.net.random_graphs import random_case
from tests.references.net import run_graph

FIRST, COUNT = 5000, 250
TOLERANCE = 2e-4  # random graphs amplify roundings; a wrong operation errs by far more
LIMITS_OF_ONNXRUNTIME = ("size_ % 2 == 1", "Pad should be smaller than kernel")


def in_onnxruntime(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {model.graph.input[0].name: x})


def in_darter(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    found = Program(graph_of(model, x), len(x)).run(x)
    return found if isinstance(found, list) else [found]


def assert_same(found, truth):
    for ours, exact in zip(found, truth, strict=True):
        assert ours.shape == exact.shape
        assert ours.dtype == np.float32
        most = max(1.0, float(np.abs(exact).max(initial=0)))
        np.testing.assert_allclose(ours, exact, rtol=0, atol=TOLERANCE * most)


def test_every_operation_has_a_row():
    assert {*STANDARD} == {*OPS}


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, 50))
def test_random_graphs_run_the_same_elsewhere(first):
    """And in darter, where they take pictures; what either refuses is little and known."""
    elsewhere = read = 0
    for number in range(first, first + 50):
        case = random_case(number)
        (shape,) = case.graph.inputs.values()
        x = np.random.default_rng(number).standard_normal((case.batch, *shape[1:]), np.float32)
        truth = run_graph(case.graph, x)
        for graph in (case.graph, improve(case.graph)):
            try:
                model = to_model(graph)
            except UnsupportedError as error:
                assert "ONNX cannot resize" in str(error), error
                continue
            onnx.checker.check_model(model, full_check=True)
            try:
                assert_same(in_onnxruntime(model, x), truth)
                elsewhere += 1
            except Fail as error:
                assert any(limit in str(error) for limit in LIMITS_OF_ONNXRUNTIME), error
            if len(shape) == 4:
                try:
                    found = in_darter(model, x)
                except UnsupportedError as error:
                    assert "the exponent must be one constant number" in str(error), error
                    continue
                read += 1
                assert_same(found, truth)
    assert elsewhere > 85
    assert read > 30


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_exported_nets_run_the_same_elsewhere(name, tmp_path):
    check_net(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NETS if "torchscript" not in REFUSED.get(n, ())])
def test_every_exported_net_runs_the_same_elsewhere(name, tmp_path):
    # PyTorch's exporter keeps what it has traced: gigabytes after some nets in one process.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(check_net, name, tmp_path).result()


def check_net(name, folder):
    export(make(name), NETS[name], folder / "net.onnx", "torchscript")
    x = pictures(2, NETS[name]).numpy()
    original = onnx.load(folder / "net.onnx")
    truth = in_onnxruntime(original, x)
    written = to_model(graph_of(original, x), outputs=("logits",))
    assert_same(in_onnxruntime(written, x), truth)
    assert_same(in_darter(written, x), truth)
    as_it_was = with_graph(original, as_read(original))
    assert_same(in_onnxruntime(as_it_was, x), truth)


def small_net() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "b": rng.standard_normal(4).astype(np.float32),
        "v": rng.standard_normal((5, 4)).astype(np.float32),
        "c": rng.standard_normal(5).astype(np.float32),
    }
    nodes = [
        N("Conv", ["x", "w", "b"], ["features"], pads=[1, 1, 1, 1]),
        N("Relu", ["features"], ["bent"]),
        N("GlobalAveragePool", ["bent"], ["pooled"]),
        N("Flatten", ["pooled"], ["flat"]),
        N("Gemm", ["flat", "v", "c"], ["y"], transB=1),
    ]
    model = net(nodes, weights)
    model.metadata_props.add(key="darter.classes", value='["a"]')
    return model


X = np.random.default_rng(1).standard_normal((2, 3, 9, 8)).astype(np.float32)


def as_read(model: onnx.ModelProto) -> Graph:
    file = model_in_memory(model, "net")
    return read_graph(file.proto, file.path.parent, file.raw)


def test_outputs_are_named_and_metadata_travels():
    graph = graph_of(small_net(), X)
    model = to_model(graph, outputs=("logits",), metadata={"darter.task": "classify"})
    assert [entry.name for entry in model.graph.output] == ["logits"]
    assert {entry.key: entry.value for entry in model.metadata_props} == {"darter.task": "classify"}
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    assert [sizes[0].dim_param, *(size.dim_value for size in sizes[1:])] == ["N", 3, 9, 8]
    assert_same(in_onnxruntime(model, X), in_onnxruntime(small_net(), X))


def test_an_output_may_take_the_name_of_another_tensor():
    graph = graph_of(small_net(), X)
    taken = graph.nodes[0].output
    model = to_model(graph, outputs=(taken,))
    assert_same(in_onnxruntime(model, X), in_onnxruntime(small_net(), X))


@pytest.mark.parametrize("names", [(), ("a", "b"), ("",), ("x",)])
def test_names_of_outputs_must_fit(names):
    with pytest.raises(OptionError, match="outputs"):
        to_model(graph_of(small_net(), X), outputs=names)


def test_a_graph_as_read_takes_the_place_of_the_old():
    model = small_net()
    graph = as_read(model)
    relu = next(n for n in graph.nodes if n.op == "Relu")
    changed = graph.changed({relu: [node("Sigmoid", "gate", relu.inputs, relu.output)]})
    made = with_graph(model, changed)
    assert [n.op_type for n in made.graph.node][1] == "Sigmoid"
    assert made.metadata_props == model.metadata_props
    assert made.graph.input == model.graph.input
    expected = small_net()
    expected.graph.node[1].op_type = "Sigmoid"
    assert_same(in_onnxruntime(made, X), in_onnxruntime(expected, X))
    assert_same(in_darter(made, X), in_onnxruntime(expected, X))


def test_attributes_of_every_kind_survive():
    constant = helper.make_tensor("value", onnx.TensorProto.FLOAT, (1,), [3.0])
    nodes = [
        N("Constant", [], ["three"], value=constant),
        N("Mul", ["x", "three"], ["more"]),
        N("Elu", ["more"], ["bent"], alpha=0.5),
        N("com.microsoft.Gelu", ["bent"], ["gelu"]),
        N("Pad", ["gelu", "around"], ["y"], mode="edge"),
    ]
    nodes[3].op_type, nodes[3].domain = "Gelu", "com.microsoft"
    around = {"around": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    model = net(nodes, around, domains=["com.microsoft"])
    made = with_graph(model, as_read(model))
    assert_same(in_onnxruntime(made, X), in_onnxruntime(model, X))


def test_a_graph_with_other_outputs_is_refused():
    model = small_net()
    graph = as_read(model)
    other = Graph(graph.nodes, graph.inputs, ("features",), graph.weights, graph.opset)
    with pytest.raises(ModelFileError, match="inputs or outputs"):
        with_graph(model, other)


def test_an_operation_without_a_row_is_refused():
    graph = Graph((node("Conv3D", "c", ["x"], "y"),), {"x": (None, 1, 2, 2)}, ("y",), {})
    with pytest.raises(UnsupportedError, match="no such operation"):
        standard(graph)
