"""What a session gives of a net that is no classifier, or has more outputs than scores."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import darter
from darter.errors import DarterError, ModelFileError, ShapeError
from tests.tiny_models import color_model, save

X = np.random.default_rng(0).random((5, 3, 8, 8), np.float32)


def with_outputs(*nodes, outputs, **options) -> onnx.ModelProto:
    """The color model with more nodes, and these outputs: (name, element type, shape)."""
    model = color_model(**options)
    model.graph.node.extend(nodes)
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(*output) for output in outputs)
    return model


BEST = helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0)
PLACES = helper.make_node("NonZero", ["scores"], ["places"])
BEST_OUT = ("best", TensorProto.INT64, ("n",))
SCORES_OUT = ("scores", TensorProto.FLOAT, ("n", 3))
PLACES_OUT = ("places", TensorProto.INT64, (2, "k"))
MEAN_OUT = ("mean", TensorProto.FLOAT, ("n", 3, 1, 1))


@pytest.mark.parametrize("first", [PLACES, BEST], ids=lambda node: node.op_type)
def test_what_predict_does_not_need_need_not_run(tmp_path, first):
    """Also where it comes before the scores."""
    output = {PLACES.op_type: PLACES_OUT, BEST.op_type: BEST_OUT}[first.op_type]
    model = with_outputs(first, outputs=[output, SCORES_OUT])
    session = darter.load(save(model, tmp_path / "m.onnx"), runtime="darter")
    assert session.runtime == "darter"
    (answer,) = session([np.full((8, 8, 3), (0, 255, 0), np.uint8)])
    assert answer.label == "class 1"


def test_nodes_that_nobody_reads_are_not_looked_at(tmp_path):
    model = color_model()
    model.graph.node.append(helper.make_node("NonZero", ["mean"], ["nowhere"]))
    assert darter.load(save(model, tmp_path / "m.onnx"), runtime="darter").run(X).shape == (5, 3)


@pytest.mark.parametrize("runtime", ["darter", "onnxruntime"])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_run_gives_every_output_in_the_graphs_order(tmp_path, runtime, count):
    model = with_outputs(outputs=[MEAN_OUT, SCORES_OUT])
    session = darter.load(save(model, tmp_path / "m.onnx"), runtime=runtime)
    x = np.random.default_rng(0).random((count, 3, 8, 8), np.float32)
    mean, scores = session.run(x)
    np.testing.assert_allclose(mean, x.mean((2, 3), keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(scores, 10 * x.mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(session.logits(x), scores, rtol=1e-6)


@pytest.mark.parametrize("runtime", ["darter", "onnxruntime"])
def test_a_net_without_scores_runs_but_does_not_predict(tmp_path, runtime):
    bright = helper.make_node("Relu", ["images"], ["bright"])
    model = with_outputs(bright, outputs=[("bright", TensorProto.FLOAT, ("n", 3, 8, 8))])
    session = darter.load(save(model, tmp_path / "m.onnx"), runtime=runtime)
    np.testing.assert_array_equal(session.run(X - 0.5), np.maximum(X - 0.5, 0))
    assert session.run(X[:0]).shape == (0, 3, 8, 8)
    assert "bright" in repr(session)
    why = r"m\.onnx: no output is \(N, classes\), it gives 'bright' \(\?, 3, 8, 8\)"
    for use in (session, lambda _: session.info, session.predict, lambda _: session.logits(X)):
        with pytest.raises(ModelFileError, match=why):
            use([])


def grey_model(height, width, **options):
    """Two scores of one channel: of its upper and its lower half."""
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["halves"]),
        helper.make_node("Flatten", ["halves"], ["scores"]),
    ]
    w = np.zeros((2, 1, height, width), np.float32)
    w[0, :, : height // 2], w[1, :, height // 2 :] = 1, 1
    shape = options.get("shape", ("n", 1, height, width))
    graph = helper.make_graph(
        nodes,
        "halves",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("n", 2))],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (4, 10), (12, 6)])
def test_one_channel_and_rectangles_run_and_predict(tmp_path, height, width):
    path = save(grey_model(height, width), tmp_path / "m.onnx")
    session = darter.load(path, classes=("above", "below"))
    x = np.random.default_rng(0).random((3, 1, height, width), np.float32)
    halves = [x[:, 0, : height // 2].sum((1, 2)), x[:, 0, height // 2 :].sum((1, 2))]
    np.testing.assert_allclose(session.run(x), np.stack(halves, 1), rtol=1e-5)
    assert session.info.preprocess.shape == (1, height, width)
    assert session.notes[-1].endswith("grey in [0, 1], as it is, is assumed (--mean, --std)")
    picture = np.zeros((2 * height, 2 * width, 3), np.uint8)
    picture[height:] = 255
    (answer,) = session([picture])
    assert answer.label == "below"
    assert len(session.plan()) >= 1
    with pytest.raises(ShapeError, match=rf"must be \(N, 1, {height}, {width}\)"):
        session.run(x[:, :, 1:])


def test_a_side_that_is_left_open_takes_any(tmp_path):
    model = with_outputs(
        helper.make_node("Relu", ["images"], ["bright"]),
        outputs=[("bright", TensorProto.FLOAT, ("n", 3, 8, "w"))],
        inputs=("n", 3, 8, "w"),
    )
    session = darter.load(save(model, tmp_path / "m.onnx"), runtime="darter")
    for width in (8, 24, 9):
        assert session.run(np.ones((2, 3, 8, width), np.float32)).shape == (2, 3, 8, width)
    with pytest.raises(ShapeError, match=r"must be \(N, 3, 8, W\)"):
        session.run(np.ones((2, 3, 9, 9), np.float32))


def test_a_size_that_does_not_fit_is_named(tmp_path):
    path = save(grey_model(4, 10), tmp_path / "m.onnx")
    for size, given in ((4, "4"), ((4, 12), "4×12")):
        with pytest.raises(
            DarterError, match=f"takes pictures of 4×10 pixels, but size is {given}"
        ):
            darter.load(path, classes=("a", "b"), size=size)
