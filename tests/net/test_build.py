"""From an ONNX file to the graph that runs, against ONNX Runtime as the referee."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from darter.errors import DarterError, ModelFileError, ShapeError, UnsupportedError
from darter.model.onnxruntime_runtime import OnnxRuntime
from darter.model.signature import Signature, read_signature
from darter.net import ModelFile
from darter.net import build as build_graph
from darter.net.onnx.modelfile import read_model
from tests.references.net import run_graph
from tests.tiny_models import color_model, save

RNG = np.random.default_rng(0)


def build(model: ModelFile, given: Signature):
    picture = given.picture(*given.sides(None, 224))
    return build_graph(model, given.input, picture, given.names, written=given.batch)


def read(path):
    model = read_model(path)
    return model, read_signature(model)


def agree(path, *, batch=3):
    """The graph and ONNX Runtime give the same scores; returns the graph."""
    model, signature = read(path)
    graph = build(model, signature)
    x = RNG.random((batch, 3, *signature.sides(None, 224)), np.float32)
    shaped = x if signature.layout == "NCHW" else x.transpose(0, 2, 3, 1)
    runtime = OnnxRuntime(model, signature, signature.names, 1)
    (expected,) = runtime.run(np.ascontiguousarray(shaped))
    np.testing.assert_allclose(run_graph(graph, shaped)[0], expected, atol=1e-5)
    return graph


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"inputs": (3, 3, 8, 8), "outputs": (3, 3)},
        {"inputs": ("n", 8, 8, 3)},
        {"tail": ("Identity", "Softmax")},
        {"tail": ("Relu", "LogSoftmax")},
    ],
    ids=str,
)
def test_small_classifiers_agree_with_onnxruntime(tmp_path, options):
    agree(save(color_model(**options), tmp_path / "m.onnx"))


def with_shape_arithmetic():
    """x.reshape(x.shape[0], -1) as exporters write it, batch unknown."""
    model = color_model()
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
        helper.make_node("Shape", ["mean"], ["shape"]),
        helper.make_node("Constant", [], ["zero"], value_int=0),
        helper.make_node("Gather", ["shape", "zero"], ["count"]),
        helper.make_node("Constant", [], ["axes"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["count", "axes"], ["counts"]),
        helper.make_node("Constant", [], ["rest"], value_ints=[-1]),
        helper.make_node("Concat", ["counts", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["mean", "target"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def test_shape_arithmetic_folds_for_any_number_of_pictures(tmp_path):
    path = save(with_shape_arithmetic(), tmp_path / "m.onnx")
    assert [node.op for node in agree(path).nodes] == ["GlobalAveragePool", "Reshape", "Gemm"]
    agree(path, batch=5)


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("shift", [0, 1])
def test_a_gather_in_order_is_a_reshape(tmp_path, batch, shift):
    """PyTorch writes `as_strided` so: one row of all numbers, then each by its place."""
    model = color_model(inputs=(batch or "n", 3, 8, 8), outputs=(batch or "n", 3))
    pool, _, product = model.graph.node
    product.input[0] = "again"
    row = helper.make_node("Constant", [], ["row"], value_ints=[-1])
    first = helper.make_node("Constant", [], ["first"], value_int=shift)
    step = helper.make_node("Constant", [], ["step"], value_int=1)
    target = helper.make_node("Constant", [], ["target"], value_ints=[-1, 3])
    nodes = [
        pool, row, first, step, target,
        helper.make_node("Reshape", ["mean", "row"], ["flat"]),
        helper.make_node("Size", ["mean"], ["size"]),
        helper.make_node("Add", ["size", "first"], ["last"]),
        helper.make_node("Range", ["first", "last", "step"], ["places"]),
        helper.make_node("Reshape", ["places", "target"], ["table"]),
        helper.make_node("Gather", ["flat", "table"], ["again"], axis=0),
        product,
    ]  # fmt: skip
    copies = [type(pool).FromString(each.SerializeToString()) for each in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    path = save(model, tmp_path / "m.onnx")
    if shift:
        with pytest.raises(UnsupportedError, match="gathers more than one place"):
            build(*read(path))
    else:
        agree(path, batch=batch or 3)


def test_a_net_that_mixes_pictures_is_refused(tmp_path):
    model = color_model()
    model.graph.node.insert(1, helper.make_node("Softmax", ["mean"], ["soft"], axis=0))
    model.graph.node[2].input[0] = "soft"
    with pytest.raises(UnsupportedError, match="computes across pictures"):
        build(*read(save(model, tmp_path / "m.onnx")))


def test_what_is_missing_is_named_by_kinds(tmp_path):
    tail = ("Relu", "Hardmax", "Shrink", "Relu", "Det", "Hardmax", "Shrink")
    path = save(color_model(tail=tail), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError) as error:
        build(*read(path))
    assert str(error.value) == f"{path}: needs Hardmax, Shrink and Det, which darter has not"


def test_many_refusals_of_one_kind_are_one(tmp_path):
    model = color_model(tail=("Cast",) * 3)
    for node in model.graph.node[-3:]:
        node.input[0] = "scores"
        node.attribute.append(helper.make_attribute("to", TensorProto.INT32))
    del model.graph.output[:]
    names = [node.output[0] for node in model.graph.node[-3:]]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.INT32, ("n", 3)) for name in names
    )
    path = save(model, tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match=r"m.onnx: Cast 'Cast_3' and 2 more: makes whole"):
        build(*read(path))


def test_padded_channels_are_refused_when_the_file_is_read(tmp_path):
    """Not only when it first runs: `darter.load` shall choose another runtime in time."""
    model = color_model()
    pads = helper.make_node("Constant", [], ["pads"], value_ints=[0, 1, 0, 0, 0, 1, 0, 0])
    model.graph.node.insert(0, pads)
    model.graph.node.insert(1, helper.make_node("Pad", ["images", "pads"], ["padded"]))
    model.graph.node[2].input[0] = "padded"
    with pytest.raises(UnsupportedError, match=r"Pad 'Pad_1': pads .* only rows and columns"):
        build(*read(save(model, tmp_path / "m.onnx")))


def conv_model(weights, **attributes):
    tensor = helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel())
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], **attributes),
            helper.make_node("GlobalAveragePool", ["c"], ["m"]),
            helper.make_node("Flatten", ["m"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 9, 9))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", "k"))],
        [tensor],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


FILTERS = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [1, 0, 2, 1], "strides": [2, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 3], "kernel_shape": [3, 3]},
        {"auto_pad": "VALID", "dilations": [2, 3]},
    ],
    ids=str,
)
def test_padding_is_resolved_as_onnx_means_it(tmp_path, attributes):
    agree(save(conv_model(FILTERS, **attributes), tmp_path / "m.onnx"))


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"group": 2}, ShapeError, r"Conv 'Conv_0': 2 groups of 3 channels"),
        ({"group": 10**9}, ShapeError, "groups"),
        ({"strides": [0, 1]}, ModelFileError, r"strides must be 1 or more, got \(0, 1\)"),
        ({"strides": [1]}, ModelFileError, "strides must be 2 numbers"),
        ({"strides": [2**62, 1]}, ModelFileError, "strides must be whole numbers"),
        ({"pads": [-1, 0, 0, 0]}, ModelFileError, "pads must be 0 or more"),
        ({"pads": [10**9] * 4}, ShapeError, "above the limit of 4096"),
        ({"dilations": [100, 100]}, ShapeError, "exceeds"),
        ({"kernel_shape": [5, 5]}, ModelFileError, "differs from the filters'"),
        ({"auto_pad": "SAME"}, ModelFileError, "auto_pad must be"),
        ({"pads": 1.5}, ModelFileError, "pads must be whole numbers"),
    ],
    ids=str,
)
def test_absurd_attributes_are_sentences(tmp_path, attributes, error, message):
    path = save(conv_model(FILTERS, **attributes), tmp_path / "m.onnx")
    with pytest.raises(error, match=message) as raised:
        build(*read(path))
    assert isinstance(raised.value, DarterError)
    assert str(raised.value).startswith(str(path))
