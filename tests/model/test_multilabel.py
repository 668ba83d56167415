"""Several labels per picture: scores against scikit-learn, thresholds, answers."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, f1_score

import darter
from darter.errors import DataError, ShapeError
from darter.model import (
    Calibration,
    ModelInfo,
    Multilabel,
    evaluate_multilabel,
    read_info,
    write_info,
)
from darter.model.multilabel_evaluation import average_precision, mean_average_precision
from darter.model.tasks.multilabel import HALF, best_f1_threshold
from darter.picture import Preprocess
from tests.tiny_models import color_model, save

COLORS = ("red", "green", "blue")
CLASSES = ("ant", "bee")
scores = arrays.arrays(np.float64, st.integers(1, 12), elements=st.integers(-3, 3))


@given(scores, st.data())
def test_average_precision_is_scikit_learns(values, data):
    true = data.draw(arrays.arrays(bool, len(values)))
    assume(true.any())
    assert average_precision(values, true) == pytest.approx(average_precision_score(true, values))


@given(scores, st.data())
def test_no_other_threshold_has_a_better_f1(values, data):
    probabilities = 1 / (1 + np.exp(-values))
    true = data.draw(arrays.arrays(bool, len(values)))
    assume(true.any())
    chosen = best_f1_threshold(probabilities, true)
    reached = f1_score(true, probabilities >= chosen)
    for threshold in (*probabilities, 0.0):
        assert reached >= f1_score(true, probabilities >= threshold, zero_division=0) - 1e-12


def test_a_label_that_nobody_has_keeps_a_half():
    logits, targets = np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32)
    assert Multilabel().calibrate(logits, targets).thresholds == (HALF, HALF)


def test_the_temperature_makes_probabilities_honest():
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(2000, 3))
    targets = (rng.random((2000, 3)) < 1 / (1 + np.exp(-honest))).astype(np.float32)
    found = Multilabel().calibrate((3 * honest).astype(np.float32), targets)
    assert 2.7 < found.temperature < 3.3


def test_the_interval_narrows_with_pictures():
    rng = np.random.default_rng(0)
    true = rng.random((400, 3)) < 0.3
    values = true + rng.normal(size=true.shape)
    score, (low, high) = mean_average_precision(values, true)
    few, (few_low, few_high) = mean_average_precision(values[:50], true[:50])
    assert low < score < high and few is not None
    assert high - low < 0.6 * (few_high - few_low)
    assert mean_average_precision(values[:0], true[:0]) == (None, (0.0, 1.0))


def test_an_evaluation_says_all_it_measured():
    logits = np.array([[2.0, -1], [2, 1], [-3, 2], [-1, -2]])
    targets = np.float32([[1, 0], [1, 0], [0, 1], [0, 0]])
    found = evaluate_multilabel(logits, targets, CLASSES, paths=list("abcd"))
    assert found.mean_average_precision == 1 and found.exact == 0.75
    assert found.micro_f1 == pytest.approx(6 / 7)
    ant, bee = found.per_label
    assert (ant.precision, ant.recall, ant.count) == (1, 1, 2)
    assert (bee.precision, bee.recall, bee.threshold) == (0.5, 1, HALF)
    assert found.predictions[1]["predicted"] == ["ant", "bee"]
    assert found.predictions[3]["labels"] == found.predictions[3]["predicted"] == []
    assert found.right.tolist() == [1, 1, 1, 1]
    record = found.to_json(split="test")
    assert json.loads(json.dumps(record)) == record
    with pytest.raises(ShapeError, match=r"2 classes"):
        evaluate_multilabel(logits, targets[:, :1], CLASSES)


def multilabel_model(path, **calibration):
    """Gives 10 times the mean of each color, less 5: each color of a picture is a label."""
    save(color_model(), path)
    info = ModelInfo(
        COLORS, Preprocess(8, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)),
        Calibration(**calibration), task="multilabel",
    )  # fmt: skip
    write_info(path, info)
    assert read_info(path) == info
    return darter.load(path)


def test_a_model_gives_all_labels_above_their_thresholds(tmp_path):
    session = multilabel_model(tmp_path / "m.onnx")
    yellow, black = np.full((8, 8, 3), (255, 255, 0), np.uint8), np.zeros((8, 8, 3), np.uint8)
    both, neither = session.predict([yellow, black])
    assert both.labels == ("red", "green") and both.label == "red" and not both.unknown
    assert neither.labels == () and neither.label is None and not neither.unknown
    assert neither.to_json()["labels"] == []
    every, _ = session.predict([yellow, black], unknown_below=0.0)
    assert set(every.labels) == set(COLORS)
    strict = multilabel_model(tmp_path / "s.onnx", thresholds=(1.0, 0.5, 0.5))
    assert next(strict.predict([yellow])).labels == ("green",)


def test_thresholds_belong_to_classes(tmp_path):
    with pytest.raises(darter.errors.ModelFileError, match="2 thresholds for 3 classes"):
        multilabel_model(tmp_path / "m.onnx", thresholds=(0.5, 0.5))


def test_a_classifier_is_not_measured_on_several_labels(tmp_path):
    from darter.dataset import Sample
    from darter.model import evaluate_samples

    save(color_model(), tmp_path / "m.onnx")
    session = darter.load(tmp_path / "m.onnx", classes=COLORS, size=8)
    with pytest.raises(DataError, match="one label per picture, and the pictures have several"):
        evaluate_samples(session, [Sample(tmp_path / "a.png", ("red", "green"))])
