"""Small ONNX files made from lists of nodes, and what ONNX Runtime says of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from darter.net import Graph, Program, build, model_in_memory
from tests.references.net import run_graph

N = helper.make_node


def net(nodes, weights, *, x=("n", 3, 9, 8), outputs=("y",), opset=17, domains=(), functions=()):
    """A model with input "x"; `outputs` of float32 and any shape."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(
        graph, opset_imports=imports, ir_version=min(9, 3 + opset // 4 + 3), functions=functions
    )


def graph_of(model: onnx.ModelProto, x: np.ndarray) -> Graph:
    """What darter makes of it for pictures like x, of any number."""
    names = tuple(output.name for output in model.graph.output)
    return build(model_in_memory(model, "net"), "x", x.shape[1:], names)


def check(model: onnx.ModelProto, *shape: int, tolerance=2e-5, batches=(1, 3), positive=False):
    """Plan, plain executor and ONNX Runtime agree; returns the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    graph = graph_of(model, np.zeros((1, *shape), np.float32))
    for batch in batches:
        x = np.random.default_rng(batch).standard_normal((batch, *shape)).astype(np.float32)
        x = np.abs(x) if positive else x
        expected = session.run(None, {"x": x})
        program = Program(graph, batch)
        program._core.poison()
        found = program.run(x)
        for results in (found if isinstance(found, list) else [found], run_graph(graph, x)):
            for ours, theirs in zip(results, expected, strict=True):
                assert ours.shape == theirs.shape
                scale = max(1.0, float(np.abs(theirs).max(initial=0)))
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)
    return graph
