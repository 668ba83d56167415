"""SSD-style outputs, in their two forms, become boxes; `detect --format ssd` takes such files."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from darter.errors import ModelFileError, OptionError
from darter.model import foreign_detector
from darter.model.detection.ssd import SsdOutputs

SIDES = (60, 80)
CORNERS = np.array([[8.0, 6, 24, 30], [9, 6, 25, 30], [40, 30, 72, 54]])  # two are one thing
PROBABILITIES = np.array([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.3, 0.1, 0.6]])
FOUND = np.array([[8, 6, 24, 30, 0.8, 0], [40, 30, 72, 54, 0.6, 1]])


@pytest.mark.parametrize("scale", [1, (80, 60, 80, 60)], ids=["pixels", "shares"])
def test_scores_of_every_place_lose_their_doubles_and_the_background(scale):
    boxes = (CORNERS / scale)[None]
    for outputs in ([boxes, PROBABILITIES[None]], [PROBABILITIES[None], boxes]):
        found = SsdOutputs.of(outputs)
        assert found.classes == 2
        (rows,) = found.rows(SIDES, 0.3, 100)
        assert rows == pytest.approx(FOUND)


def test_scores_of_three_classes_are_no_boxes():
    scores = np.full((1, 3, 4), 0.25)
    found = SsdOutputs.of([scores, CORNERS[None]])
    assert found.boxes.shape == (1, 3, 4) and found.boxes.max() == 72 and found.classes == 3


def test_boxes_that_have_labels_are_taken_as_they_are():
    boxes, labels = (CORNERS / (80, 60, 80, 60))[None], np.array([[1.0, 2, 2]])
    found = SsdOutputs.of([boxes, labels, np.array([[0.8, 0.05, 0.6]])])
    assert found.classes is None
    (rows,) = found.rows(SIDES, 0.1, 100)
    assert rows == pytest.approx(FOUND)
    nothing = SsdOutputs.of([boxes, np.zeros((1, 3)), np.zeros((1, 3))])
    assert len(nothing.rows(SIDES, 0.1, 100)[0]) == 0


@pytest.mark.parametrize("shapes", [[(1, 3, 4)], [(1, 3, 5), (1, 3, 2)], [(1, 3, 4), (1, 7, 2)]])
def test_other_outputs_are_refused(shapes):
    random = np.random.default_rng(0)
    with pytest.raises(ModelFileError, match=r"an SSD's outputs are boxes \(N, P, 4\)"):
        SsdOutputs.of([random.normal(size=shape) for shape in shapes])


def file_with(path, **constants):
    """A file that gives these outputs, whatever it is shown."""
    weights = [
        numpy_helper.from_array(v.astype(np.float32), f"{n}_is") for n, v in constants.items()
    ]
    weights.append(numpy_helper.from_array(np.float32(0), "nothing"))
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
             helper.make_node("Mul", ["mean", "nothing"], ["zero"])]  # fmt: skip
    nodes += [helper.make_node("Add", [f"{n}_is", "zero"], [n]) for n in constants]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "ssd", [value("images", TensorProto.FLOAT, [1, 3, *SIDES])],
        [value(n, TensorProto.FLOAT, v.shape) for n, v in constants.items()], weights,
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_a_file_is_used_as_detect_uses_it(tmp_path):
    boxes = (CORNERS / (80, 60, 80, 60))[None]
    path = file_with(tmp_path / "ssd.onnx", scores=PROBABILITIES[None], boxes=boxes)
    detector = foreign_detector(path, "ssd", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert detector.info.classes == ("class 0", "class 1")
    (answer,) = detector.detect([np.zeros((120, 160, 3), np.uint8)])  # twice the input's sides
    assert answer.counts == {"class 0": 1, "class 1": 1}
    assert answer.found[0].corners == pytest.approx((16, 12, 48, 60), abs=1e-3)
    named = file_with(tmp_path / "named.onnx", boxes=boxes, labels=np.array([[1, 1, 2]]),
                      scores=PROBABILITIES.max(axis=1)[None])  # fmt: skip
    with pytest.raises(OptionError, match="--classes"):
        foreign_detector(named, "ssd")
    found = foreign_detector(named, "ssd", classes=["cell", "dot"])
    (answer,) = found.detect([np.zeros((60, 80, 3), np.uint8)])
    assert answer.counts == {"cell": 2, "dot": 1}
