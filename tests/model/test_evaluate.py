import json
import unicodedata

import numpy as np
import pytest

from darter.dataset import list_samples
from darter.errors import ShapeError
from darter.model import Calibration, ModelInfo, evaluate, evaluate_samples, load
from tests.tiny_models import PLAIN, color_model, picture, save

LOGITS = np.array([[4.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.2, 0.0]])


def test_evaluation_of_four_pictures():
    result = evaluate(
        LOGITS, [0, 1, 1, 0], ("ant", "bee"), calibration=Calibration(2.0, 0.55), paths=list("wxyz")
    )
    assert (result.n, result.accuracy) == (4, 0.75)
    assert result.interval == pytest.approx((0.3006, 0.9544), abs=5e-5)
    assert result.confusion.tolist() == [[2, 0], [1, 1]]
    assert result.per_class[0].precision == pytest.approx(2 / 3)
    assert result.coverage == 0.75  # the fourth has confidence 0.525
    assert result.accuracy_when_known == pytest.approx(2 / 3)
    assert result.predictions[0]["confidence"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert result.predictions[1] == {
        "path": "x",
        "label": "bee",
        "predicted": "ant",
        "confidence": pytest.approx(0.6225, abs=1e-4),
        "top": [["ant", pytest.approx(0.6225, abs=1e-4)], ["bee", pytest.approx(0.3775, abs=1e-4)]],
    }


def test_json_is_plain_and_complete():
    record = evaluate(LOGITS, [0, 1, 1, 0], ("ant", "bee")).to_json(split="test")
    assert json.loads(json.dumps(record)) == record
    assert set(record) == {
        "split", "n", "accuracy", "interval", "majority", "balanced_accuracy", "macro_f1",
        "caution", "ece", "ece_interval", "ece_by_chance", "confidence_says", "per_class",
        "confusion", "reliability",
        "calibration", "unreadable", "curves", "predictions",
    }  # fmt: skip


def test_no_pictures_and_absent_classes_are_none_and_not_zero():
    nothing = evaluate(np.zeros((0, 2)), [], ("ant", "bee"))
    assert (nothing.n, nothing.accuracy, nothing.ece, nothing.coverage) == (0, None, None, None)
    assert nothing.interval == (0, 1)
    one_sided = evaluate([[2.0, 0.0], [0.0, 2.0]], [0, 0], ("ant", "bee"))
    bee = one_sided.per_class[1]
    assert (bee.precision, bee.recall, bee.f1) == (None, None, None), "called once, never there"
    assert one_sided.macro_f1 == one_sided.per_class[0].f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 1], ("a", "b"), r"logits must be \(pictures, classes\) = \(2, 2\); got \(4, 2\)"),
        ([0, 1, 2, 0], ("a", "b"), "labels must lie in 0…1"),
        ([0, 1, 1, 0], ("a", "b", "c"), "logits must be"),
    ],
)
def test_shapes_are_checked(labels, classes, message):
    with pytest.raises(ShapeError, match=message):
        evaluate(LOGITS, labels, classes)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_classes_are_matched_in_either_form_of_unicode(tmp_path, form):
    classes = tuple(unicodedata.normalize(form, name) for name in ("rosé", "vert", "blåue"))
    file = save(color_model(), tmp_path / "model.onnx", ModelInfo(classes, PLAIN, Calibration()))
    for label, color in (("rosé", "red"), ("blåue", "blue")):
        picture(tmp_path / "new" / label / "1.png", color)
    found = evaluate_samples(load(file), list_samples(tmp_path / "new").samples)
    assert found.classes == classes and found.accuracy == 1.0
