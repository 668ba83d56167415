"""Attributes that ONNX does not allow are refused, of every operation."""

import numpy as np
import pytest
from onnx import defs

from darter.errors import ModelFileError
from darter.net.graph import Graph, Node
from darter.net.translate import translate
from darter.net.translate.attributes import (
    VALUES,
    _known,
    _of_package,
    _table,
    check_attributes,
    distinct_axes,
)
from darter.net.translate.fold import FOLDS, fold
from darter.net.translate.table import TRANSLATIONS

# Any value of the right type means something.
FREE = {"Cast.to", "end", "saturate", "seed", "start", "stash_type", "value_int", "value_ints"}
FREE |= {"QuantizeLinear.output_dtype", "DequantizeLinear.output_dtype", "QuantizeLinear.precision"}
FREE |= {"Einsum.equation", "GatherND.batch_dims", "round_mode", "value_string"}
WRONG = [
    ("AveragePool", {"ceil_mode": 2}, "0 or 1"),
    ("AveragePool", {"count_include_pad": -1}, "0 or 1"),
    ("BatchNormalization", {"training_mode": 2}, "0 or 1"),
    ("Concat", {"axis": 4}, "an axis of 4"),
    ("Conv", {"auto_pad": "SAME"}, "NOTSET or VALID or SAME_UPPER or SAME_LOWER"),
    ("Conv", {"group": 0}, "1 or more"),
    ("Conv", {"kernel_shape": (0, 3)}, "1 or more"),
    ("Conv", {"pads": (0, -1, 0, 0)}, "0 or more"),
    ("Conv", {"strides": 2}, "whole numbers"),
    ("DepthToSpace", {"mode": "RCD"}, "DCR or CRD"),
    ("LSTM", {"direction": "sideways"}, "forward or reverse or bidirectional"),
    ("LpNormalization", {"p": 3}, "1 or 2"),
    ("Flatten", {"axis": 5}, "between -4 and 4"),
    ("Gelu", {"approximate": "fast"}, "none or tanh"),
    ("Gemm", {"transB": 2}, "0 or 1"),
    ("LRN", {"size": 0}, "1 or more"),
    ("LeakyRelu", {"alpha": "0.1"}, "a number"),
    ("LeakyRelu", {"beta": 0.1}, "no attribute 'beta'"),
    ("Pad", {"mode": "mirror"}, "constant or reflect or edge or wrap"),
    ("ReduceMean", {"keepdims": 3}, "0 or 1"),
    ("Resize", {"mode": "area"}, "nearest or linear or cubic"),
    ("Resize", {"nearest_mode": "up"}, "floor or ceil"),
    ("Softmax", {"axis": -5}, "an axis of 4"),
    ("Transpose", {"perm": (0, 1, 1, 3)}, "an order of 4 axes"),
]


@pytest.mark.parametrize(("op", "attributes", "expected"), WRONG)
def test_values_that_onnx_does_not_allow(op, attributes, expected):
    with pytest.raises(ModelFileError, match=expected):
        check_attributes(Node(op, "n", ("x",), ("y",), attributes), 20, 4)


@pytest.mark.parametrize(
    ("op", "axes"), [("Squeeze", (2, -1)), ("Unsqueeze", (0, -5)), ("ReduceMean", (3, 3))]
)
def test_doubled_axes_as_attributes(op, axes):
    with pytest.raises(ModelFileError, match="different axes"):
        check_attributes(Node(op, "n", ("x",), ("y",), {"axes": axes}), 11, 3)


def test_a_type_that_no_rule_expects():
    with pytest.raises(ModelFileError, match="another type"):
        check_attributes(Node("NoSuchOperation", "n", ("x",), ("y",), {"axis": (1, 2)}), 17, 4)


def test_more_axes_than_numpy_has():
    weights = {"a": np.ones(64, np.int64)}
    graph = Graph((Node("Expand", "n", ("x", "a"), ("y",)),), {"x": (1, 3)}, ("y",), weights, 18)
    with pytest.raises(ModelFileError, match=r"Expand 'n'.*do not fit"):
        translate(graph, graph.inputs, graph.outputs)


@pytest.mark.parametrize("axes", [(1, -3), (2, 2), (4,), (-5,)])
@pytest.mark.parametrize("op", ["Squeeze", "Unsqueeze", "ReduceMax"])
@pytest.mark.parametrize("constant", [False, True])
def test_doubled_or_absent_axes_as_inputs(op, axes, constant):
    """Of what is computed and of what is folded."""
    rank = 4 - (op == "Unsqueeze") * len(axes)
    weights = {"a": np.array(axes, np.int64), "c": np.ones((1,) * rank, np.float32)}
    nodes = (
        Node(op, "n", ("c" if constant else "x", "a"), ("r",)),
        Node("Add", "s", ("x", "r"), ("y",)),
    )
    graph = Graph(nodes, {"x": (1,) * rank}, ("y",), weights, 18)
    with pytest.raises(ModelFileError, match=f"{op} 'n'.*different axes of 4"):
        translate(graph, graph.inputs, graph.outputs)


def test_the_table_has_every_attribute():
    """A new operation's attributes are restricted, or said to be free."""
    missing = set()
    for op in sorted({*TRANSLATIONS, *FOLDS} & {schema.name for schema in defs.get_all_schemas()}):
        for name, attribute in defs.get_schema(op).attributes.items():
            restricted = attribute.type.name in ("INT", "INTS", "STRING")
            if restricted and not {name, f"{op}.{name}"} & (VALUES.keys() | FREE):
                missing.add(f"{op}.{name}")
    assert not missing


def test_distinct_axes():
    assert distinct_axes((-1, 0), 3) == (2, 0)
    assert distinct_axes(np.array([0]), 0) == (0,)


@pytest.mark.parametrize("shapes", [((1, 2, 3), (5, 3, 4)), ((3,), (2, 3, 4)), ((2, 3), (3,))])
def test_products_of_constants(shapes):
    a, b = (np.ones(shape, np.float32) for shape in shapes)
    (product,) = fold(Node("MatMul", "m", ("a", "b"), ("y",)), [a, b], 18)
    assert np.array_equal(product, a @ b)


def test_a_product_of_many_batches_is_refused():
    """Neither operand is large, nor are the last two axes."""
    a, b = np.ones((4096, 1, 16, 1), np.float32), np.ones((1, 4096, 1, 16), np.float32)
    with pytest.raises(Exception, match="cannot be meant"):
        fold(Node("MatMul", "m", ("a", "b"), ("y",)), [a, b], 18)


def test_the_written_table_is_what_onnx_says():
    for op in _table()["operations"]:
        for opset in range(1, defs.onnx_opset_version() + 1):
            assert _known(op, opset) == _of_package(op, opset), (op, opset)


def test_every_operation_of_onnx_that_darter_reads_is_in_the_table():
    read = {op for op in {*TRANSLATIONS, *FOLDS} if defs.has(op)}
    assert read <= set(_table()["operations"])


def test_versions_newer_than_the_table_are_asked_of_the_package():
    assert _known("Conv", _table()["newest"] + 1) == _known("Conv", _table()["newest"])
