import numpy as np
import pytest
from onnx import TensorProto, helper

import darter
from darter.errors import DarterError, ModelFileError, OptionError, ShapeError
from darter.model import softmax
from tests.tiny_models import COLORS, color_model, darter_model, picture, save


def solid(*colors):
    """Pictures (N, 3, 8, 8), each of one color."""
    colors = np.asarray(colors, np.float32)
    return np.broadcast_to(colors[:, :, None, None], (*colors.shape, 8, 8))


THREE = solid((1, 0, 0), (0, 0.5, 0), (0, 0, 0.25))
LOGITS = np.diag([10, 5, 2.5])


def test_a_run_folder_stands_for_its_model(tmp_path):
    (tmp_path / "run").mkdir()
    darter_model(tmp_path / "run" / "model.onnx")
    np.testing.assert_allclose(darter.load(tmp_path / "run").run(THREE), LOGITS, atol=1e-2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match=r"a folder without a model\.onnx"):
        darter.load(tmp_path / "empty")


def test_a_url_is_said_not_to_be_fetched(tmp_path):
    with pytest.raises(DarterError, match=r"https://host/m\.onnx is a URL, and darter fetches"):
        darter.load("https://host/m.onnx")
    session = darter.load(darter_model(tmp_path / "m.onnx"))
    (answer,) = session.predict(["https://host/a.jpg"])
    assert answer.error.startswith("https://host/a.jpg is a URL")


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"inputs": (1, 3, 8, 8), "outputs": (1, 3)},
        {"inputs": (2, 3, 8, 8), "outputs": (2, 3)},
        {"inputs": ("n", 8, 8, 3)},
        {"inputs": (None, 3, None, None), "outputs": None},
        {"dtype": TensorProto.FLOAT16},
        {"outputs": ("n", 3), "tail": ("Identity",)},
    ],
    ids=str,
)
def test_run_gives_logits_whatever_the_graph_insists_on(tmp_path, options, count):
    session = darter.load(darter_model(tmp_path / "m.onnx", **options))
    scores = session.run(THREE[:count])
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, LOGITS[:count], atol=1e-2)


@pytest.mark.parametrize("count", [31, 32, 33, 70])
def test_many_pictures_run_a_few_at_a_time(tmp_path, count, monkeypatch):
    session = darter.load(darter_model(tmp_path / "m.onnx"))
    seen, run = [], session._runtime.run
    monkeypatch.setattr(session._runtime, "run", lambda x: (seen.append(len(x)), run(x))[1])
    pictures = np.random.default_rng(0).random((count, 3, 8, 8), np.float32)
    np.testing.assert_allclose(session.run(pictures), pictures.mean((2, 3)) * 10, rtol=1e-5)
    assert sum(seen) == count
    assert max(seen) <= 32


@pytest.mark.parametrize("tail", [("Softmax",), ("Softmax", "Identity")], ids=str)
def test_softmax_of_logits_is_the_nets_own_answer(tmp_path, tail):
    session = darter.load(darter_model(tmp_path / "m.onnx", tail=tail, scale=200.0))
    np.testing.assert_allclose(softmax(session.logits(THREE)), softmax(LOGITS * 20), atol=1e-6)
    assert np.isfinite(session.logits(THREE)).all()
    np.testing.assert_allclose(session.run(THREE), softmax(LOGITS * 20), atol=1e-6)


def test_log_softmax_counts_as_logits(tmp_path):
    session = darter.load(darter_model(tmp_path / "m.onnx", tail=("LogSoftmax",)))
    np.testing.assert_allclose(softmax(session.logits(THREE)), softmax(LOGITS), atol=1e-6)


def test_run_of_nothing_is_empty_and_wrong_shapes_are_named(tmp_path):
    session = darter.load(darter_model(tmp_path / "m.onnx"))
    assert session.run(THREE[:0]).shape == (0, 3)
    for wrong in (THREE[0], THREE[:, :1], THREE[:, :, :4]):
        with pytest.raises(ShapeError, match=r"x must be \(N, 3, 8, 8\), got"):
            session.run(wrong)


def test_model_of_someone_else_loads_with_notes(tmp_path):
    session = darter.load(save(color_model(), tmp_path / "m.onnx"))
    assert session.info.classes == ("class 0", "class 1", "class 2")
    assert session.info.preprocess.size == 8
    assert [note.split(": ", 1)[1] for note in session.notes] == [
        "names no classes: 3 outputs are called by number (--classes)",
        "says no normalization: RGB in [0, 1] with ImageNet's mean and deviation is assumed "
        "(--mean, --std)",
    ]


def test_what_is_given_is_not_guessed(tmp_path):
    session = darter.load(
        save(color_model(inputs=("n", 3, "h", "w"), outputs=None), tmp_path / "m.onnx"),
        classes=COLORS,
        size=16,
        mean=[0.5],
        std=(0.1, 0.2, 0.3),
    )
    assert session.notes == ()
    assert session.info.classes == COLORS
    assert session.info.preprocess.size == 16
    assert session.info.preprocess.mean == (0.5, 0.5, 0.5)
    assert session.info.preprocess.std == (0.1, 0.2, 0.3)


def test_given_values_win_over_the_files_own(tmp_path):
    path = darter_model(tmp_path / "m.onnx", temperature=2.0)
    session = darter.load(path, classes=("r", "g", "b"), mean=(0.1, 0.1, 0.1))
    assert session.info.classes == ("r", "g", "b")
    assert session.info.preprocess.mean == (0.1, 0.1, 0.1)
    assert session.info.preprocess.std == (1, 1, 1)
    assert session.info.calibration.temperature == 2.0


@pytest.mark.parametrize(("outputs", "first"), [(1000, "tench"), (1001, "background")])
def test_imagenet_is_known_by_its_number_of_outputs(tmp_path, outputs, first):
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    weights = helper.make_tensor("weights", TensorProto.FLOAT, (3, outputs), [0.0] * 3 * outputs)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 3, 8, 8))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("n", "classes"))],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = darter.load(save(model, tmp_path / "m.onnx"))
    assert len(session.info.classes) == outputs
    assert session.info.classes[0] == first
    assert "ImageNet" in session.notes[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("a", "b")}, "2 class names for 3 outputs"),
        ({"classes": ("a", "a", "b")}, "names must differ"),
        ({"size": 9}, "takes pictures of 8×8 pixels, but size is 9"),
        ({"mean": (123.7, 116.3, 103.5)}, "123.7 looks like 0…255: divide by 255"),
        ({"mean": (0.1, 0.2)}, "mean must be 1 or 3 numbers"),
        ({"std": (0, 0, 0)}, "std"),
        ({"std": (float("nan"),) * 3}, "std"),
    ],
)
def test_unusable_options_are_named(tmp_path, options, message):
    with pytest.raises(DarterError, match=message):
        darter.load(save(color_model(), tmp_path / "m.onnx"), **options)


def test_classes_must_be_as_many_as_outputs_that_the_file_hides(tmp_path):
    path = save(color_model(outputs=None), tmp_path / "m.onnx")
    session = darter.load(path, classes=("a", "b"))
    with pytest.raises(ModelFileError, match="gives 3 scores for 2 classes"):
        session.logits(THREE)


def test_threads_and_options_are_checked(tmp_path):
    session = darter.load(darter_model(tmp_path / "m.onnx"), threads=1)
    for wrong in ({"top": 0}, {"batch_size": 0}, {"unknown_below": 1.5}):
        with pytest.raises(OptionError):
            session.predict([picture(tmp_path / "a.png", "red")], **wrong)


@pytest.mark.parametrize("batch", [0, -1, 2.0])
def test_a_plan_is_for_a_whole_number_of_pictures(tmp_path, batch):
    session = darter.load(darter_model(tmp_path / "model.onnx"))
    with pytest.raises(ShapeError, match=f"batch must be a whole number from 1 on, got {batch}"):
        session.plan(batch)


@pytest.mark.parametrize("threads", [0, 1.5, "2"])
def test_threads_are_a_whole_number(tmp_path, threads):
    with pytest.raises(OptionError, match="threads must be a whole number from 1 on"):
        darter.load(darter_model(tmp_path / "model.onnx"), threads=threads)
