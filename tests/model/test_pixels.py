"""Files with their preprocessing inside give darter's probabilities, and the docs say how."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

import darter
from darter.cli.app import main
from darter.errors import ExportError, ModelFileError, UnsupportedError
from darter.model import Calibration, ModelInfo, export_with_preprocessing, with_preprocessing
from darter.model.info import Over
from darter.model.pixels import export
from darter.picture import Preprocess
from tests.tiny_models import color_model, darter_model, picture, save

PAGE = (Path(__file__).parents[2] / "docs" / "resize.md").read_text()
RULE, BY_HAND, EXPORTED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

crops = st.sampled_from(("center", "squash", "pad"))
sides = st.integers(1, 60)
ODD = {"mean": (0.3, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}


def pixels_of(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@st.composite
def preprocesses(draw):
    sides = st.integers(1, 24)
    size = draw(sides | st.tuples(sides, sides))
    short = size if isinstance(size, int) else min(size)
    crop, resize = draw(crops), draw(st.integers(short, 3 * short))
    if draw(st.booleans()):
        return Preprocess(size, resize, crop, (0.4,), (0.3,), channels=1)
    return Preprocess(size, resize, crop, **ODD)


@settings(max_examples=150)
@given(preprocesses(), sides, sides)
def test_the_rule_in_plain_numpy_is_darters(preprocess, height, width):
    names: dict = {}
    exec(RULE, names)
    pixels = pixels_of(height, width)
    theirs = names["preprocess"](pixels, preprocess.to_dict())[0]
    np.testing.assert_allclose(theirs, preprocess(pixels), atol=2e-4)


@settings(max_examples=40)
@given(preprocesses(), sides, sides, st.sampled_from((11, 13, 17, 18)), st.booleans())
def test_the_nodes_are_the_rule(preprocess, height, width, opset, by_channels):
    """A net that hands its input through, so that what comes out is what the nodes made."""
    channels, rows, columns = preprocess.shape
    shape = (1, channels, rows, columns) if by_channels else (1, rows, columns, channels)
    nodes = [onnx.helper.make_node("Reshape", ["images", "flat"], ["scores"])]
    flat = onnx.numpy_helper.from_array(np.array([1, -1]), "flat")
    classes = int(np.prod(shape))
    info = ModelInfo(tuple(f"{k}" for k in range(classes)), preprocess, task="multilabel")
    if classes < 2:
        return
    graph = onnx.helper.make_graph(
        nodes,
        "through",
        [onnx.helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, classes))],
        [flat],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8
    )
    pixels = pixels_of(height, width)
    found = run(with_preprocessing(_kept(model), info), pixels)
    images = preprocess(pixels)
    layout = onnx_layout(shape)
    expected = images if layout == "NCHW" else images.transpose(1, 2, 0)
    np.testing.assert_allclose(np.log(found / (1 - found)), expected.ravel(), atol=2e-3)


def onnx_layout(shape):
    from darter.model.signature import _layout

    return _layout(shape)[0]


_FOLDER: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory):
    _FOLDER[:] = [tmp_path_factory.mktemp("pixels")]


def _kept(model):
    path = _FOLDER[0] / "through.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def run(proto, pixels):
    onnx.checker.check_model(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (found,) = session.run(None, {"pixels": pixels})
    return found.astype(np.float64)


@pytest.mark.parametrize("tail", [(), ("Softmax",), ("Sigmoid",)])
@pytest.mark.parametrize("shape", [("n", 3, 8, 8), (4, 3, 8, 8), ("n", 8, 8, 3)])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_probabilities_are_darters(tmp_path, tail, shape, dtype):
    outputs = (4 if shape[0] == 4 else "n", 3)
    model = color_model(inputs=shape, outputs=outputs, scale=3.0, tail=tail, dtype=dtype)
    task = "multilabel" if tail == ("Sigmoid",) else "classify"
    info = ModelInfo(
        ("red", "green", "blue"), Preprocess(8, **ODD), Calibration(1.7, 0.1), task=task
    )
    path = save(model, tmp_path / "m.onnx", info)
    proof = export_with_preprocessing(darter.load(path), path, tmp_path / "out.onnx")
    assert proof is not None and proof.pictures == 4
    assert proof.max_probability_difference < 1e-3


def test_names_that_the_net_already_has(tmp_path):
    model = color_model()
    for node in model.graph.node:
        node.input[:] = ["pixels" if name == "images" else name for name in node.input]
        node.output[:] = ["probabilities" if name == "mean" else name for name in node.output]
        node.input[:] = ["probabilities" if name == "mean" else name for name in node.input]
    model.graph.input[0].name = "pixels"
    info = ModelInfo(("a", "b", "c"), Preprocess(8))
    path = save(model, tmp_path / "m.onnx", info)
    assert export_with_preprocessing(darter.load(path), path, tmp_path / "out.onnx")


def test_the_command_and_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    darter_model(Path("model.onnx"), temperature=2.0)
    picture(Path("a.jpg"), (0, 255, 0))
    with pytest.raises(SystemExit) as end:
        main(["export", "model.onnx", "--with-preprocessing"])
    assert end.value.code == 0
    assert "takes uint8 (H, W, 3), gives 3 probabilities" in capsys.readouterr().out
    answer = darter.load("model.onnx")(["a.jpg"])[0]
    exec(RULE + BY_HAND, {})
    exec(EXPORTED, {})
    for line in capsys.readouterr().out.splitlines():
        label, probability = line.split()
        assert label == answer.label == "green"
        assert float(probability) == pytest.approx(answer.confidence, abs=1e-5)
    with pytest.raises(ModelFileError, match=r"takes pictures as they are decoded.*was made from"):
        darter.load("model-pixels.onnx")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["m.onnx"], "say what to write: --with-preprocessing"),
        (["m.onnx", "m.onnx", "--with-preprocessing"], "is the model itself"),
    ],
)
def test_refusals_of_the_command(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    darter_model(Path("m.onnx"))
    with pytest.raises(SystemExit) as end:
        main(["export", *arguments])
    assert end.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    path = darter_model(tmp_path / "m.onnx")
    wrong = with_preprocessing(path, ModelInfo(("a", "b", "c"), Preprocess(8, mean=(0.9,) * 3)))
    monkeypatch.setattr(export, "with_preprocessing", lambda *_: wrong)
    with pytest.raises(ExportError, match=r"was not written: on 4 pictures"):
        export_with_preprocessing(darter.load(path), path, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_without_onnx_runtime_nothing_is_proven(tmp_path, monkeypatch):
    import sys

    path = darter_model(tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert export_with_preprocessing(darter.load(path), path, tmp_path / "out.onnx") is None
    assert (tmp_path / "out.onnx").exists()


def test_a_file_that_averages_is_refused(tmp_path):
    over = Over(("flip",), calibration=Calibration(2.0, 0.0))
    info = ModelInfo(("a", "b", "c"), Preprocess(8), over=over)
    path = save(color_model(), tmp_path / "m.onnx", info)
    with pytest.raises(UnsupportedError, match=r"averages its answers over flip .* looks once"):
        with_preprocessing(path, info)


def test_an_old_opset_is_refused(tmp_path):
    model = color_model()
    model.opset_import[0].version = 9
    path = save(model, tmp_path / "m.onnx", ModelInfo(("a", "b", "c"), Preprocess(8)))
    with pytest.raises(UnsupportedError, match="opset 9"):
        with_preprocessing(path, ModelInfo(("a", "b", "c"), Preprocess(8)))
