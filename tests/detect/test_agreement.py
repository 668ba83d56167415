"""Points that agree make a box surer; each class has its own overlap from which boxes are one."""

import math

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

pytest.importorskip("pycocotools")

from darter.detect import append_suppression, settle_overlaps
from darter.detect.agreement import WITNESSES, agreed
from darter.model import OVERLAP, Truth, runtimes_of, suppress


def overlap(a, b):
    sides = [min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1)]
    both = max(0.0, sides[0]) * max(0.0, sides[1])
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return both / max(sum(areas) - both, 1e-6)


def drawn(seed, pictures=2, boxes=40, classes=3):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (pictures, boxes, 2))
    found = np.concatenate((corner, corner + random.uniform(4, 40, corner.shape)), axis=2)
    logits, labels = (
        random.normal(-1, 2, (pictures, boxes)),
        random.integers(0, classes, (pictures, boxes)),
    )
    return logits, labels, found


def test_scores_are_the_noisy_or_of_all_that_overlap():
    logits, labels, boxes = drawn(0)
    boxes[0, 3, 2:] = boxes[0, 3, :2]  # without area
    given = torch.tensor(logits), torch.tensor(labels), torch.tensor(boxes)
    scores = agreed(*given).numpy()
    for n, i in np.ndindex(scores.shape):
        doubt = 1.0
        for j in range(boxes.shape[1]):
            if labels[n, i] == labels[n, j]:
                right = 1 / (1 + math.exp(-logits[n, j]))
                doubt *= (1 - right) ** overlap(boxes[n, i], boxes[n, j]) ** 4
        assert scores[n, i] == pytest.approx(1 - doubt ** (1 / WITNESSES), abs=1e-12)


def test_a_box_of_many_points_is_surer_than_one_of_a_single_surer_point():
    box, alone = [10.0, 10.0, 30.0, 30.0], [60.0, 60.0, 80.0, 80.0]
    boxes = torch.tensor([[box, box, box, alone, box]])
    logits, labels = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]]), torch.tensor([[0, 0, 0, 0, 1]])
    scores = agreed(logits, labels, boxes)[0]
    assert scores[0] > scores[3] > scores[4]  # those of another class do not count


def candidates(seed):
    logits, labels, boxes = drawn(seed)
    scores = 1 / (1 + np.exp(-logits))
    rows = np.concatenate((scores[..., None], labels[..., None], boxes), axis=2)
    order = np.argsort(-scores, axis=1)[..., None]
    return np.take_along_axis(rows, order, axis=1).astype(np.float32)


@pytest.mark.parametrize("overlaps", [0.2, (0.2, 0.2, 0.2), (0.1, 0.4, 0.1), (0.3, 0.1, 0.5)])
def test_the_file_removes_doubles_of_each_class_by_its_own_overlap(overlaps):
    rows = candidates(1)
    rows = np.concatenate((rows, np.zeros((2, 80, 6), np.float32)), axis=1)
    value = helper.make_tensor_value_info
    count = rows.shape[1]
    graph = helper.make_graph(
        [helper.make_node("Squeeze", ["images", "axis"], ["candidates"])],
        "ends",
        [value("images", TensorProto.FLOAT, ["batch", 1, count, 6])],
        [value("candidates", TensorProto.FLOAT, ["batch", count, 6])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    append_suppression(proto, reach=400.0, overlaps=overlaps)
    onnx.checker.check_model(proto, full_check=True)
    for runtime in runtimes_of(proto, "the ends"):
        (found,) = runtime.run(rows[:, None])
        for each, given in zip(found, rows, strict=True):
            kept = suppress(given[:, 2:], given[:, 0], given[:, 1], overlap=overlaps)
            wanted = given[kept][given[kept, 0] > 0]
            assert (each[len(wanted) :, 4] == 0).all(), runtime.name
            assert each[: len(wanted)] == pytest.approx(wanted[:, [2, 3, 4, 5, 0, 1]])


def test_classes_that_touch_and_classes_that_are_found_twice_get_their_own_overlap():
    """Of class 0 two things overlap by 0.57; of class 1 each is found twice, at that overlap."""
    shift = 20 * (1 - 0.57) / (1 + 0.57)
    pair = np.array([[10.0, 10, 30, 30], [10 + shift, 10, 30 + shift, 30]])
    truth = Truth(np.concatenate((pair, pair[:1] + 50)), np.array([0, 0, 1]), np.zeros(3, bool))
    found = np.zeros((3, 4, 6), np.float32)
    for k, picture in enumerate(found):
        picture[:, 0] = np.array([0.9, 0.8, 0.95, 0.9]) - 0.1 * k
        picture[:, 1] = 0, 0, 1, 1
        picture[:, 2:] = *pair, *(pair + 50)
    touching, doubled = settle_overlaps(found, [truth] * 3, 2)
    assert doubled < 0.57 < touching
    assert settle_overlaps(found[:0], [], 2) == (OVERLAP, OVERLAP)
