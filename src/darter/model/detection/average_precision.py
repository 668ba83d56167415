"""Average precision of found boxes, as COCO defines it, and how sure it is.

pycocotools matches boxes with what is there; precision is summed up here, so that pictures can be
drawn again and again for an interval.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import MissingExtraError
from darter.extras import install_line
from darter.model.detection.found import Detections

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 100  # boxes of a picture that count
RESAMPLES = 300


@dataclass(frozen=True)
class Truth:
    """What is in one picture: boxes (N, 4) in pixels, class numbers (N,), spare ones (N,)."""

    boxes: NDArray[Any]
    classes: NDArray[np.int64]
    spare: NDArray[np.bool_]


@dataclass(frozen=True)
class ClassMatches:
    """Found boxes of one class in all pictures, surest first.

    scores, pictures: (D,).   hits, ignored: (10, D), for each of OVERLAPS: whether it found
    something, and whether it counts for nothing.   positives: (N,), things in each picture.
    """

    scores: NDArray[np.float64]
    pictures: NDArray[np.int64]
    hits: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    positives: NDArray[np.int64]

    def precisions(self, times: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Average precision (10,) with each picture counted so many times; None without things."""
        total = int((self.positives * times).sum())
        if total == 0:
            return None
        weight = times[self.pictures] * ~self.ignored
        right, wrong = (np.cumsum(w * weight, axis=1) for w in (self.hits, ~self.hits))
        found = np.zeros(len(OVERLAPS))
        for k, (tp, fp) in enumerate(zip(right, wrong, strict=True)):
            recall, precision = tp / total, tp / np.maximum(tp + fp, 1)
            envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
            found[k] = envelope[np.searchsorted(recall, RECALLS, side="left")].mean()
        return found


@dataclass(frozen=True)
class Matches:
    """Found boxes of every class held against what is there, in `pictures` pictures."""

    per_class: tuple[ClassMatches, ...]
    pictures: int

    def table(self, times: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """(classes, 10): average precision; NaN for a class of which nothing is there."""
        times = np.ones(self.pictures, np.int64) if times is None else times
        rows = [each.precisions(times) for each in self.per_class]
        empty = np.full(len(OVERLAPS), np.nan)
        return np.array([empty if row is None else row for row in rows]).reshape(-1, len(OVERLAPS))

    @cached_property
    def ap50(self) -> float:
        return _mean(self.table()[:, 0])

    @cached_property
    def ap(self) -> float:
        """Mean over classes and overlaps 0.5 … 0.95."""
        return _mean(self.table())

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95% intervals of ap50 and ap: pictures drawn with replacement (bootstrap)."""
        random = np.random.default_rng(seed)
        drawn = []
        for _ in range(RESAMPLES if self.pictures > 1 else 0):
            which = random.integers(0, self.pictures, self.pictures)
            table = self.table(np.bincount(which, minlength=self.pictures))
            drawn.append((_mean(table[:, 0]), _mean(table)))
        if not drawn:
            return {"ap50": (0.0, 1.0), "ap": (0.0, 1.0)}
        ends = np.nanquantile(np.array(drawn), (0.025, 0.975), axis=0).T.tolist()
        return {name: (low, high) for name, (low, high) in zip(("ap50", "ap"), ends, strict=True)}


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


def match(truths: Sequence[Truth], found: Sequence[Detections], classes: Sequence[str]) -> Matches:
    """Hold what was found against what is there, picture by picture.

    Raises MissingExtraError without pycocotools.
    """
    number = {label: k for k, label in enumerate(classes)}
    rows = [
        np.array([(number[f.label], f.score, *f.corners) for f in each.found if f.label in number])
        for each in found
    ]
    return match_arrays(truths, [row.reshape(-1, 6) for row in rows], len(classes))


def match_arrays(truths: Sequence[Truth], found: Sequence[NDArray[Any]], classes: int) -> Matches:
    """The same for arrays (D, 6) of class, score and corners.

    Raises MissingExtraError without pycocotools.
    """
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise MissingExtraError(
            f"average precision needs pycocotools: {install_line('train')}"
        ) from None
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(_coco(truths, classes), _coco_found(truths, found, classes), "bbox")
        judge.params.maxDets = [MOST]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
    by_class: list[list[Any]] = [[] for _ in range(classes)]
    for entry in judge.evalImgs:
        if entry is not None:
            by_class[entry["category_id"] - 1].append(entry)
    return Matches(tuple(_gathered(each, len(truths)) for each in by_class), len(truths))


def _gathered(entries: list[Any], pictures: int) -> ClassMatches:
    positives = np.zeros(pictures, np.int64)
    scores, where = [np.zeros(0)], [np.zeros(0, np.int64)]
    hits = [np.zeros((len(OVERLAPS), 0), bool)]
    ignored = [np.zeros((len(OVERLAPS), 0), bool)]
    for entry in entries:
        picture = entry["image_id"] - 1
        positives[picture] = int((np.asarray(entry["gtIgnore"]) == 0).sum())
        scores.append(np.asarray(entry["dtScores"], np.float64))
        where.append(np.full(len(entry["dtScores"]), picture))
        hits.append(np.asarray(entry["dtMatches"]) > 0)
        ignored.append(np.asarray(entry["dtIgnore"]).astype(bool))
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="mergesort")
    return ClassMatches(
        score[order],
        np.concatenate(where)[order],
        np.concatenate(hits, axis=1)[:, order],
        np.concatenate(ignored, axis=1)[:, order],
        positives,
    )


def _coco(truths: Sequence[Truth], classes: int) -> Any:
    from pycocotools.coco import COCO

    entries: list[dict[str, Any]] = []
    for picture, truth in enumerate(truths, 1):
        for box, label, spare in zip(truth.boxes, truth.classes, truth.spare, strict=True):
            entries.append(_entry(len(entries) + 1, picture, label, box) | {"iscrowd": int(spare)})
    return _loaded(COCO(), truths, entries, classes)


def _coco_found(truths: Sequence[Truth], found: Sequence[NDArray[Any]], classes: int) -> Any:
    from pycocotools.coco import COCO

    entries: list[dict[str, Any]] = []
    for picture, rows in enumerate(found, 1):
        for label, score, *box in rows:
            entry = _entry(len(entries) + 1, picture, label, box)
            entries.append(entry | {"iscrowd": 0, "score": float(score)})
    return _loaded(COCO(), truths, entries, classes)


def _entry(number: int, picture: int, label: Any, box: Any) -> dict[str, Any]:
    x0, y0, x1, y1 = map(float, box)
    width, height = x1 - x0, y1 - y0
    return {"id": number, "image_id": picture, "category_id": int(label) + 1,
            "bbox": [x0, y0, width, height], "area": width * height}  # fmt: skip


def _loaded(coco: Any, truths: Sequence[Truth], entries: list[Any], classes: int) -> Any:
    coco.dataset = {
        "images": [{"id": k} for k in range(1, len(truths) + 1)],
        "categories": [{"id": k} for k in range(1, classes + 1)],
        "annotations": entries,
    }
    coco.createIndex()
    return coco
