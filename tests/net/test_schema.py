"""The messages that darter declares are those of the package onnx."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from darter.net.onnx import schema

NESTED = {
    "Tensor": "TypeProto.Tensor",
    "Other": None,
    "Dimension": "TensorShapeProto.Dimension",
}


def declared(name):
    return schema.ModelProto.DESCRIPTOR.file.message_types_by_name[name]


def package(name):
    found = onnx.ModelProto.DESCRIPTOR.file
    message = None
    for part in (NESTED.get(name) or name).split("."):
        message = (message.nested_types_by_name if message else found.message_types_by_name)[part]
    return message


@pytest.mark.parametrize("name", [name for name in schema.MESSAGES if name != "Other"])
def test_every_field_is_that_of_the_package(name):
    theirs = package(name)
    for field in declared(name).fields:
        other = theirs.fields_by_name[field.name]
        assert (field.number, field.type) == (other.number, other.type)
        assert field.is_repeated == other.is_repeated, field.name
        assert (field.containing_oneof is None) == (other.containing_oneof is None)
        assert field.GetOptions().packed == other.GetOptions().packed
    assert set(schema.ONE_OF) >= {name} or not theirs.oneofs


@pytest.mark.parametrize("owner", schema.ENUMS_OF)
def test_enums_have_the_package_s_numbers(owner):
    for name in schema.ENUMS_OF[owner]:
        theirs = package(owner).enum_types_by_name[name].values_by_name
        for value in declared(owner).enum_types_by_name[name].values:
            assert value.number == theirs[value.name].number


def test_attribute_types_and_places_of_data_are_complete():
    for owner, name in (("AttributeProto", "AttributeType"), ("TensorProto", "DataLocation")):
        ours, theirs = (of(owner).enum_types_by_name[name].values for of in (declared, package))
        assert {v.name for v in ours} == {v.name for v in theirs}


def model():
    weights = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    node = helper.make_node("Gemm", ["x", "w"], ["y"], alpha=0.5, doc_string="told", transB=1)
    x, y = (helper.make_tensor_value_info(n, 1, ["N", k]) for n, k in (("x", 3), ("y", 2)))
    made = helper.make_model(helper.make_graph([node], "g", [x], [y], [weights]))
    made.metadata_props.add(key="darter.task", value="classify")
    return made


def test_what_is_not_declared_stays_in_the_message():
    whole = model()
    assert (
        onnx.ModelProto.FromString(
            schema.ModelProto.FromString(whole.SerializeToString()).SerializeToString()
        )
        == whole
    )


@given(st.data())
def test_damaged_files_are_read_alike(data):
    """What the declared fields say is the same, or both refuse; unread fields may be damaged."""
    content = bytearray(model().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        theirs = onnx.ModelProto.FromString(bytes(content))
    except DecodeError:
        return
    ours = schema.ModelProto.FromString(bytes(content))
    assert [(n.op_type, [*n.input], [a.name for a in n.attribute]) for n in ours.graph.node] == [
        (n.op_type, [*n.input], [a.name for a in n.attribute]) for n in theirs.graph.node
    ]
    assert [[*t.dims] for t in ours.graph.initializer] == [
        [*t.dims] for t in theirs.graph.initializer
    ]
    assert [t.HasField("raw_data") for t in ours.graph.initializer] == [
        t.HasField("raw_data") for t in theirs.graph.initializer
    ]
    shapes = ([e.type.tensor_type.HasField("shape") for e in g.graph.input] for g in (ours, theirs))
    assert next(shapes) == next(shapes)


def test_reading_a_model_does_not_load_the_package(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model(), path)
    code = f"import sys; from darter.net import read_model; read_model({str(path)!r}); "
    check = "print(sorted(n for n in sys.modules if n.split('.')[0] == 'onnx'))"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
