"""What a detector is sure of and nobody marked is named, and nothing else is."""

import numpy as np
import pytest

pytest.importorskip("pycocotools")

from darter.model import DetectionEvaluation, Truth, match_arrays
from darter.model.detection.unmarked import with_unmarked

CLASSES = ("cell", "dot")


def found(score, *box, false=True, label="cell"):
    return {"label": label, "score": score, "box": list(box), "false": false}


def true(*box, label="cell"):
    return {"label": label, "box": list(box), "spare": False, "missed": False}


def entry(path, things, marked):
    return {"path": path, "size": [200, 200], "true": marked, "found": things}


@pytest.fixture
def pictures():
    first = entry(
        "1.jpg",
        [
            found(0.9, 0, 0, 20, 20, false=False),
            found(0.6, 40, 0, 60, 20, false=False),
            found(0.7, 100, 100, 120, 120),  # as sure as half of the right ones, apart from all
            found(0.7, 45, 0, 65, 20),  # a double of what is marked
            found(0.5, 150, 100, 170, 120),  # not sure
            found(0.99, 150, 150, 170, 170, label="dot"),  # of a class that it never found rightly
        ],
        [true(0, 0, 20, 20), true(40, 0, 60, 20)],
    )
    second = entry("2.jpg", [found(0.7, 0, 0, 20, 20, false=False), found(0.8, 1, 1, 21, 21)], [
        true(0, 0, 20, 20), true(1, 1, 21, 21, label="dot"),
    ])  # fmt: skip
    third = entry("3.jpg", [found(0.75, 0, 0, 20, 20), found(0.8, 50, 50, 70, 70)], [])
    return with_unmarked([first, second, third])


def test_only_sure_things_apart_from_all_boxes_look_forgotten(pictures):
    told = [[each["unmarked"] for each in picture["found"]] for picture in pictures]
    assert told == [[False, False, True, False, False, False], [False, False], [True, True]]


def test_an_evaluation_names_the_pictures_and_what_counts_would_be(pictures):
    number = {label: k for k, label in enumerate(CLASSES)}
    truths, rows = [], []
    for picture in pictures:
        marked = picture["true"]
        boxes = np.array([each["box"] for each in marked], float).reshape(-1, 4)
        labels = np.array([number[each["label"]] for each in marked], np.int64)
        truths.append(Truth(boxes, labels, np.zeros(len(marked), bool)))
        rows.append(np.array([
            (number[f["label"]], f["score"], *f["box"]) for f in picture["found"]
        ]))  # fmt: skip
    result = DetectionEvaluation(CLASSES, (0.1, 0.1), match_arrays(truths, rows, 2), pictures)
    assert result.unmarked() == [("3.jpg", 2), ("1.jpg", 1)]
    record = result.to_json()
    assert record["unmarked"] == [["3.jpg", 2], ["1.jpg", 1]]
    cell = record["per_class"][0]
    assert cell["things"] == 3 and cell["unmarked"] == 3
    assert cell["count_error"] == pytest.approx((3 + 1 + 2) / 3)
    assert cell["count_error_if_there"] == pytest.approx((2 + 1 + 0) / 6)
