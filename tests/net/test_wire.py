"""Weights are found in a file's bytes without the protobuf library, and it reads the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, numpy_helper

from darter.net.onnx.modelfile import read_model, read_whole
from darter.net.onnx.wire import LEAST, without_weights
from tests.fuzz.nets import nets
from tests.tiny_models import color_model, save


def with_weights(*arrays):
    model = color_model()
    for number, array in enumerate(arrays):
        model.graph.initializer.append(numpy_helper.from_array(array, f"more{number}"))
    return model


def put_back(message: bytes, values) -> ModelProto:
    model = ModelProto.FromString(message)
    for number, value in values.items():
        assert not model.graph.initializer[number].HasField("raw_data")
        model.graph.initializer[number].raw_data = bytes(value)
    return model


LARGE = np.arange(LEAST, dtype=np.float32)


@pytest.mark.parametrize("arrays", [(), (LARGE,), (LARGE[:2], LARGE, LARGE[:9], LARGE * 2)])
def test_large_values_are_left_out_and_nothing_else(arrays):
    model = with_weights(*arrays)
    rest, values = without_weights(memoryview(model.SerializeToString()))
    assert len(values) == sum(array.nbytes >= LEAST for array in arrays)
    assert len(rest) < LEAST + 4096
    assert put_back(rest, values) == model


def test_a_graph_in_two_pieces_is_counted_on():
    first, second = with_weights(LARGE), ModelProto()
    second.graph.initializer.append(numpy_helper.from_array(LARGE * 3, "later"))
    joined = first.SerializeToString() + second.SerializeToString()
    rest, values = without_weights(memoryview(joined))
    assert put_back(rest, values) == ModelProto.FromString(joined)


@given(st.sampled_from(nets()), st.integers(0), st.binary(max_size=4))
def test_any_bytes_mean_the_same_to_the_library(content, place, new):
    content = bytearray(content)
    place %= len(content)
    content[place : place + len(new)] = new
    rest, values = without_weights(memoryview(bytes(content)))
    try:
        expected = ModelProto.FromString(bytes(content))
    except Exception:
        with pytest.raises(Exception):  # noqa: B017
            ModelProto.FromString(rest)
        return
    assert put_back(rest, values).SerializeToString() == expected.SerializeToString()


@given(st.binary(max_size=200))
def test_other_bytes_are_returned_whole(content):
    rest, values = without_weights(memoryview(content))
    assert not values
    assert len(rest) <= len(content) + 10


def test_a_read_model_has_its_weights_in_the_file(tmp_path):
    path = save(with_weights(LARGE), tmp_path / "m.onnx")
    model = read_model(path)
    np.testing.assert_array_equal(np.frombuffer(model.raw[1], np.float32), LARGE)
    whole = read_whole(path).graph.initializer[1]
    assert whole.data_type == TensorProto.FLOAT
    np.testing.assert_array_equal(numpy_helper.to_array(whole), LARGE)
