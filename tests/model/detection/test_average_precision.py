"""Average precision equals pycocotools', counts and thresholds are what they say."""

import contextlib
import io

import numpy as np
import pytest

pytest.importorskip("pycocotools")
from pycocotools.cocoeval import COCOeval

from darter.model import Truth, best_thresholds, counts_at, match_arrays, suppress
from darter.model.detection.average_precision import _coco, _coco_found
from darter.model.detection.counting import ALMOST
from darter.model.detection.suppress import OVERLAP


def drawn(seed, pictures=12, classes=3):
    random = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(pictures):
        count = random.integers(0, 8)
        corner, side = random.uniform(0, 80, (count, 2)), random.uniform(5, 30, (count, 2))
        boxes, label = (
            np.concatenate((corner, corner + side), 1),
            random.integers(0, classes, count),
        )
        truths.append(Truth(boxes, label, random.random(count) < 0.15))
        hit = random.random(count) < 0.8
        moved = boxes[hit] + random.normal(0, 2, (hit.sum(), 4))
        rows = np.column_stack((label[hit], random.random(hit.sum()), moved))
        corner = random.uniform(0, 80, (random.integers(0, 5), 2))
        false = np.column_stack((random.integers(0, classes, len(corner)),
                                 random.random(len(corner)), corner, corner + 20))  # fmt: skip
        found.append(np.concatenate((rows, false)))
    return truths, found


@pytest.mark.parametrize("seed", range(5))
def test_equals_pycocotools(seed):
    truths, found = drawn(seed)
    matches = match_arrays(truths, found, 3)
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(_coco(truths, 3), _coco_found(truths, found, 3), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert (matches.ap, matches.ap50) == pytest.approx(tuple(judge.stats[:2]), abs=1e-12)


def test_an_interval_holds_the_figure_and_is_narrower_with_more_pictures():
    few, many = (match_arrays(*drawn(1, n), 3) for n in (10, 80))
    for matches in (few, many):
        low, high = matches.intervals()["ap50"]
        assert low <= matches.ap50 <= high
    widths = [np.ptp(m.intervals()["ap"]) for m in (few, many)]
    assert widths[1] < 0.7 * widths[0]


def test_thresholds_have_right_counts_among_good_f1():
    truths, found = drawn(3, 40)
    matches = match_arrays(truths, found, 3)

    def f1(label, least):
        found, there = counts_at(matches, [least] * 3)
        each = matches.per_class[label]
        right = (each.hits[0] & ~each.ignored[0] & (each.scores >= least)).sum()
        return 2 * right / max(found[:, label].sum() + there[:, label].sum(), 1)

    def off(label, least):
        found, there = counts_at(matches, [least] * 3)
        return np.abs(found - there)[:, label].sum()

    for label, best in enumerate(best_thresholds(matches)):
        tried = np.linspace(0.01, 0.99, 99)
        limit = max(f1(label, least) for least in tried) - ALMOST
        assert f1(label, best) >= limit - 1e-9
        good = [least for least in tried if f1(label, least) >= limit]
        assert off(label, best) <= min(off(label, least) for least in good)


def test_suppress_equals_a_plain_double_loop():
    random = np.random.default_rng(0)
    for _ in range(30):
        corner = random.uniform(0, 60, (40, 2))
        boxes = np.concatenate((corner, corner + random.uniform(10, 40, (40, 2))), 1)
        scores, labels = random.random(40), random.integers(0, 2, 40)
        kept = []
        for k in np.argsort(-scores):
            if all(labels[k] != labels[j] or iou(boxes[k], boxes[j]) <= OVERLAP for j in kept):
                kept.append(k)
        assert suppress(boxes, scores, labels).tolist() == kept


def iou(a, b):
    both = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
