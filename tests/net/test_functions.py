"""Functions that a file defines, against ONNX Runtime, and those that cannot be meant."""

import numpy as np
import pytest
from onnx import AttributeProto, helper

import darter
from darter.errors import ModelFileError, UnsupportedError
from darter.model import softmax
from tests.net.onnx_nets import N, check, graph_of, net
from tests.references.net import run_graph
from tests.tiny_models import color_model, save

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
X = np.zeros((1, 3, 9, 8))


def function(name, inputs, outputs, nodes, attributes=(), defaults=(), opsets=OPSETS):
    return helper.make_function(
        "own", name, inputs, outputs, nodes, opsets, list(attributes), list(defaults)
    )


def call(name, inputs, outputs, **attributes):
    return N(name, inputs, outputs, domain="own", **attributes)


def leaky(slope: str, name="alpha"):
    """LeakyRelu with an attribute of its function."""
    node = N("LeakyRelu", ["a"], ["b"])
    reference = AttributeProto(name=name, type=AttributeProto.FLOAT, ref_attr_name=slope)
    node.attribute.append(reference)
    return node


def test_functions_are_written_out():
    inner = function("Inner", ["a"], ["b"], [leaky("slope")], ["slope"])
    outer = function(
        "Outer", ["a", "c"], ["b", "i", "b2"],
        [
            N("Add", ["a", "c"], ["s"]),
            call("Inner", ["s"], ["t"], slope=0.3),
            call("Inner", ["t"], ["u"], slope=0.7),
            N("Mul", ["u", "a"], ["b"]),
            N("Neg", ["b"], ["b2"]),
            N("Identity", ["a"], ["i"]),
        ],
    )  # fmt: skip
    nodes = [
        call("Outer", ["x", "w"], ["p", "q", "r"]),
        call("Outer", ["p", "w"], ["s", "nobody", "t"]),
        N("Add", ["q", "r"], ["v"]),
        N("Sub", ["v", "t"], ["y"]),
    ]
    weights = {"w": np.float32([[[0.5]], [[1]], [[-1]]])}
    model = net(nodes, weights, domains=("own",), functions=[outer, inner])
    check(model, 3, 9, 8)


def test_a_function_may_give_what_it_takes_and_one_thing_twice():
    own = function("Own", ["a"], ["a", "b", "b"], [N("Relu", ["a"], ["b"])])
    nodes = [call("Own", ["x"], ["p", "q", "r"]), N("Sum", ["p", "q", "r"], ["y"])]
    x = np.random.default_rng(0).standard_normal(X.shape)
    (y,) = run_graph(graph_of(net(nodes, {}, domains=("own",), functions=[own]), X), x)
    np.testing.assert_allclose(y, x + 2 * np.maximum(x, 0))


def test_attributes_have_defaults():
    defaults = [helper.make_attribute("slope", 0.25)]
    own = function("Own", ["a"], ["b"], [leaky("slope")], (), defaults)
    nodes = [call("Own", ["x"], ["t"]), call("Own", ["t"], ["y"], slope=0.5)]
    check(net(nodes, {}, domains=("own",), functions=[own]), 3, 9, 8)


def test_a_function_of_a_function_that_calls_the_first_is_refused():
    a = function("A", ["a"], ["b"], [call("B", ["a"], ["b"])])
    b = function("B", ["a"], ["b"], [call("A", ["a"], ["b"])])
    model = net([call("A", ["x"], ["y"])], {}, domains=("own",), functions=[a, b])
    with pytest.raises(ModelFileError, match="functions within functions, more than 32 deep"):
        graph_of(model, X)


def test_functions_that_double_each_other_are_bounded():
    functions = [function("F0", ["a"], ["b"], [N("Relu", ["a"], ["b"])])]
    for k in range(1, 30):
        twice = [call(f"F{k - 1}", ["a"], ["m"]), call(f"F{k - 1}", ["m"], ["b"])]
        functions.append(function(f"F{k}", ["a"], ["b"], twice))
    model = net([call("F29", ["x"], ["y"])], {}, domains=("own",), functions=functions)
    with pytest.raises(ModelFileError, match="come to more than 200000 nodes"):
        graph_of(model, X)


def test_functions_of_another_version_are_refused():
    own = function(
        "Own", ["a"], ["b"], [leaky("slope")], ["slope"], (), [helper.make_opsetid("", 13)]
    )
    model = net([call("Own", ["x"], ["y"], slope=0.5)], {}, domains=("own",), functions=[own])
    with pytest.raises(
        UnsupportedError, match=r"uses operations of version 13, the graph of .* 17"
    ):
        graph_of(model, X)


def test_too_many_inputs_are_refused():
    own = function("Own", ["a"], ["b"], [N("Relu", ["a"], ["b"])])
    model = net([call("Own", ["x", "x"], ["y"])], {}, domains=("own",), functions=[own])
    with pytest.raises(ModelFileError, match="more inputs or outputs than its function"):
        graph_of(model, X)


def test_a_softmax_within_a_function_is_seen(tmp_path):
    model = color_model(tail=("Identity",))
    last = model.graph.node[-1]
    last.op_type, last.domain = "Probabilities", "own"
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.append(function("Probabilities", ["a"], ["b"], [N("Softmax", ["a"], ["b"])]))
    session = darter.load(save(model, tmp_path / "m.onnx"), runtime="darter")
    x = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    np.testing.assert_allclose(softmax(session.logits(x)), session.run(x), atol=1e-6)


@pytest.mark.parametrize(
    "activation", ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid"]
)
@pytest.mark.parametrize("added", [False, True])
def test_fused_convolutions_as_onnxruntime_saves_them(activation, added):
    params = {"LeakyRelu": [0.1], "Clip": [-0.5, 0.5], "HardSigmoid": [0.3, 0.4]}.get(activation)
    given = {} if params is None else {"activation_params": params}
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((5, 3, 3, 3)).astype(np.float32), "b": np.float32(range(5))}
    if added:
        weights["z"] = rng.standard_normal((5, 3, 1, 1)).astype(np.float32)
    nodes = [
        N("FusedConv", ["x", "w", "b", *(["z2"] if added else [])], ["y"], domain="com.microsoft",
          activation=activation, pads=[1, 1, 1, 1], **given)
    ]  # fmt: skip
    if added:
        nodes.insert(0, N("Conv", ["x", "z"], ["z2"]))
    check(net(nodes, weights, domains=("com.microsoft",)), 3, 9, 8)


@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool", "GlobalAveragePool"])
def test_lines_of_pixels(op):
    weights = {"shape": np.array([0, 3, -1], np.int64)}
    more = {"kernel_shape": [3], "strides": [2], "pads": [1, 0]} if "Global" not in op else {}
    inputs = ["r"]
    if op == "Conv":
        weights |= {"w": np.float32(np.random.default_rng(0).random((4, 3, 3)))}
        inputs.append("w")
    nodes = [N("Reshape", ["x", "shape"], ["r"]), N(op, inputs, ["y"], **more)]
    check(net(nodes, weights), 3, 9, 8)


def test_texts_that_are_no_utf8_are_refused(tmp_path):
    own = function("Own", ["a"], ["b"], [N("Relu", ["a"], ["b"])])
    model = color_model()
    model.functions.append(own)
    content = model.SerializeToString().replace(b"Own", b"\xff\xfen")
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"not UTF-8|damaged"):
        darter.load(tmp_path / "m.onnx")
