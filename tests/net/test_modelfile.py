"""Damaged and hostile model files: a sentence, never a traceback, never a crash."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

import darter
from darter.errors import DarterError, ModelFileError, UnsupportedError
from darter.model.signature import read_signature
from darter.net.onnx.modelfile import read_model
from tests.tiny_models import color_model, darter_model, save


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04 torch.save", "is a zip archive .* export the model to ONNX"),
        (b"\xff\xd8\xff\xe0 JPEG", "is a picture, not an ONNX model"),
        (b"\x80\x02}q\x00.", "is a pickle"),
        (b"# a text, not a model\n", "not a usable ONNX model"),
        (b"\x08\x09", "holds no graph"),
        (bytes(1000), "not a usable ONNX model"),
    ],
)
def test_other_files_are_recognized(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as error:
        darter.load(path)
    assert str(error.value).startswith(str(path))


def test_absent_folder_and_forbidden(tmp_path):
    with pytest.raises(ModelFileError, match="no such model file"):
        darter.load(tmp_path / "absent.onnx")
    with pytest.raises(ModelFileError, match="is a folder"):
        darter.load(tmp_path)
    with pytest.raises(ModelFileError):
        darter.load(tmp_path / "model\0.onnx")


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_cut_files_are_refused(tmp_path, kept):
    path = darter_model(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(ModelFileError):
        darter.load(path)


def two_inputs():
    model = color_model()
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, (1,)))
    return model


def without(field):
    model = color_model()
    model.graph.ClearField(field)
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (two_inputs(), "must take one picture tensor; its inputs are: images, more"),
        (without("input"), "its inputs are: none"),
        (without("output"), "has no output"),
        (color_model(inputs=("n", 192)), r"rank 4, .* got rank 2, \(\?, 192\)"),
        (color_model(inputs=("n", 5000, 8, 8)), "number of channels is 5000, above"),
        (color_model(inputs=("n", 3, 80000, 80000)), "size is 80000, above"),
        (color_model(inputs=(10**6, 3, 8, 8)), "batch is 1000000, above"),
        (color_model(outputs=("n", 10**12)), "number of classes is 1000000000000"),
        (color_model(outputs=("n", 3, 8, 8)), "not a classifier of whole pictures"),
        (color_model(outputs=("n", 1)), "has 1 output"),
        (color_model(dtype=TensorProto.DOUBLE), "float32 or float16; got double"),
        (color_model(tail=("NoSuchOp",)), "NoSuchOp"),
        (color_model(outputs=("n", 5)), "5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_graphs_that_are_no_classifier_are_explained(tmp_path, model, message):
    path = save(model, tmp_path / "model.onnx")
    with pytest.raises((ModelFileError, UnsupportedError), match=message):
        darter.load(path)([np.zeros((8, 8, 3), np.uint8)])


def test_identity_loop_ends(tmp_path):
    model = color_model(tail=("Identity", "Identity"))
    model.graph.node[-2].input[0] = model.graph.node[-1].output[0]
    path = save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelFileError):
        darter.load(path)


def external(tmp_path, location, content=b"\0" * 64, **place):
    model = color_model()
    tensor = model.graph.initializer[0]
    set_external_data(tensor, location, **place)
    tensor.ClearField("raw_data")
    (tmp_path / "inside").mkdir(exist_ok=True)
    (tmp_path / "inside" / "weights.bin").write_bytes(content)
    (tmp_path / "outside.bin").write_bytes(content)
    return save(model, tmp_path / "inside" / "model.onnx")


def test_external_weights_beside_the_model_are_used(tmp_path):
    weights = np.eye(3, dtype=np.float32).tobytes()
    path = external(tmp_path, "weights.bin", b"\0" * 8 + weights, offset=8, length=36)
    scores = darter.load(path).run(np.ones((1, 3, 8, 8), np.float32))
    np.testing.assert_allclose(scores, [[1, 1, 1]])


@pytest.mark.parametrize(
    ("location", "place", "message"),
    [
        ("../outside.bin", {}, "outside the model's folder"),
        ("link.bin", {}, "outside the model's folder"),
        ("/etc/passwd", {}, "outside the model's folder"),
        ("absent.bin", {}, "no such file; copy it next to the model"),
        ("", {}, "no file name"),
        ("weights.bin", {"offset": 40, "length": 36}, "too short"),
        ("weights.bin", {"offset": -8}, "too short"),
    ],
)
def test_external_weights_elsewhere_are_refused(tmp_path, location, place, message):
    path = external(tmp_path, location, **place)
    (tmp_path / "inside" / "link.bin").symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ModelFileError, match=message):
        darter.load(path)


def test_external_weights_hidden_in_a_nested_graph_are_found(tmp_path):
    model = color_model()
    tensor = TensorProto(name="hidden", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4))
    set_external_data(tensor, "../outside.bin")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    branch = helper.make_graph([constant], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch))
    with pytest.raises(ModelFileError, match=r"'hidden' are said to lie .*, outside"):
        darter.load(save(model, tmp_path / "model.onnx"))


GOOD = color_model().SerializeToString()


@given(st.data())
@settings(max_examples=300)
def test_reading_mutated_bytes_raises_nothing_else(tmp_path_factory, data):
    """Our own reading of the file; what the runtime does with it is fuzzed below."""
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "mutated.onnx"
    path.write_bytes(content)
    try:
        read_signature(read_model(path))
    except DarterError as error:
        assert str(path) in str(error)


FUZZ = """
import random, sys
import numpy as np
import darter
from darter.errors import DarterError
good, seed, count = open(sys.argv[1], "rb").read(), int(sys.argv[2]), int(sys.argv[3])
for number in range(count):
    draw = random.Random(seed * 1_000_003 + number)
    content = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.randrange(len(content))
        cut, new = draw.choice((0, 1, 1, 2)), draw.randbytes(draw.choice((0, 1, 1, 2)))
        content[place : place + cut] = new
    path = sys.argv[1] + ".mutated"
    open(path, "wb").write(content)
    print(number, file=sys.stderr, flush=True)
    try:
        session = darter.load(path, threads=1)
        given = session.signature
        session.run(np.ones((2, given.channels, *given.sides(None, 224)), "f"))
    except DarterError:
        pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_running_mutated_models_never_crashes(tmp_path, seed):
    path = darter_model(tmp_path / "model.onnx", tail=("Softmax",))
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(path), str(seed), "500"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
