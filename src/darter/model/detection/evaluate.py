"""Judge a detector on pictures whose boxes are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset import Boxes, Sample, check_target, overlaps
from darter.errors import DarterError, DataError
from darter.model.detection.average_precision import ClassMatches, Matches, Truth, match_arrays
from darter.model.detection.counting import counts_at, precision_recall_at
from darter.model.detection.detector import Detector
from darter.model.detection.unmarked import unmarked_counts, with_unmarked
from darter.picture import decode

OVERLAP = 0.5  # of a found box with a true one of its class, to have found it
CURVE_POINTS = 101


@dataclass(frozen=True)
class DetectionEvaluation:
    """What a detector is worth on `n` pictures.

    matches: found boxes against true ones.   thresholds: from which score a thing is told.
    pictures: one record per picture: its path, size, true and found boxes, misses, false finds.
    unreadable: (path, why) of pictures that could not be judged.
    """

    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    matches: Matches
    pictures: tuple[dict[str, Any], ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def n(self) -> int:
        return self.matches.pictures

    def per_class(self) -> list[dict[str, Any]]:
        table = self.matches.table()
        found, there = counts_at(self.matches, self.thresholds)
        forgotten = unmarked_counts(self.pictures, self.classes)
        rows = []
        for k, label in enumerate(self.classes):
            each, least = self.matches.per_class[k], self.thresholds[k]
            precision, recall = precision_recall_at(each, least)
            things = int(there[:, k].sum())
            off = np.abs(found[:, k] - there[:, k]).sum()
            more = int(forgotten[:, k].sum())
            off_if = np.abs(found[:, k] - there[:, k] - forgotten[:, k]).sum()
            rows.append({
                "label": label, "things": things, "found": int(found[:, k].sum()),
                "ap50": _number(table[k, 0]), "ap": _number(table[k].mean()),
                "threshold": round(least, 4), "precision": precision, "recall": recall,
                "count_error": float(off / things) if things else None, "unmarked": more,
                "count_error_if_there": float(off_if / (things + more)) if things else None,
            })  # fmt: skip
        return rows

    def unmarked(self) -> list[tuple[str, int]]:
        """(path, number) of pictures in which the detector is sure of things that nobody marked,
        those with the most first; see `with_unmarked`."""
        counts = unmarked_counts(self.pictures, self.classes).sum(axis=1)
        order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        return [(self.pictures[k]["path"], int(counts[k])) for k in order]

    def to_json(self, *, split: str = "test") -> dict[str, Any]:
        intervals = self.matches.intervals()
        return {
            "task": "detect", "split": split, "n": self.n, "measure": "AP50",
            "ap50": self.matches.ap50, "ap": self.matches.ap,
            "accuracy": self.matches.ap50, "interval": list(intervals["ap50"]),
            "intervals": {name: list(ends) for name, ends in intervals.items()},
            "per_class": self.per_class(),
            "curves": [_curve(label, each) for label, each
                       in zip(self.classes, self.matches.per_class, strict=True)],
            "predictions": list(self.pictures),
            "unmarked": [list(pair) for pair in self.unmarked()],
            "unreadable": [list(pair) for pair in self.unreadable],
        }  # fmt: skip


def evaluate_detector(
    detector: Detector,
    samples: Sequence[Sample],
    *,
    tiles: int = 1,
    names: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DetectionEvaluation:
    """Find things in labelled pictures and hold them against their boxes.

    names: of the pictures in the records; their paths by default.
    Raises DataError where none can be read, or none has boxes of the model's classes.
    """
    classes = detector.info.classes
    truths, rows, records, unreadable = [], [], [], []
    for done, sample in enumerate(samples, 1):
        name = names[done - 1] if names else str(sample.path)
        try:
            picture = decode(sample.path)
            found = detector.rows(picture.pixels, tiles)
        except DarterError as error:
            unreadable.append((name, str(error)))
            continue
        target, _ = check_target(sample.target, picture.size, picture.orientation)
        assert isinstance(target, Boxes)
        truths.append(_truth(target, classes))
        rows.append(found)
        records.append(_record(name, picture.size, truths[-1], found, detector))
        if progress:
            progress(done, len(samples))
    if not truths:
        raise DataError(f"none of the {len(samples)} pictures can be read; {unreadable[:1]}")
    if not any(len(truth.classes) for truth in truths):
        strange = sorted({label for s in samples for label in s.labels})[:5]
        raise DataError(
            f"no box is of a class that the model knows ({', '.join(classes)}); the pictures have: "
            f"{', '.join(strange) or 'no boxes'}"
        )
    matches = match_arrays(truths, rows, len(classes))
    return DetectionEvaluation(
        classes, detector.thresholds, matches, with_unmarked(records), tuple(unreadable)
    )


def _truth(target: Boxes, classes: Sequence[str]) -> Truth:
    number = {label: k for k, label in enumerate(classes)}
    known = [box for box in target.boxes if box.label in number]
    return Truth(
        np.array([box.corners for box in known], np.float64).reshape(-1, 4),
        np.array([number[box.label] for box in known], np.int64),
        np.array([box.spare for box in known], bool),
    )


def _record(
    name: str, size: tuple[int, int], truth: Truth, found: NDArray[Any], detector: Detector
) -> dict[str, Any]:
    """One picture: what is there, what is told, which of it is missed and which is wrong."""
    limits = np.array(detector.thresholds)
    told = found[found[:, 1] >= limits[found[:, 0].astype(int)]]
    told = told[np.argsort(-told[:, 1], kind="stable")]
    owner = owners(truth, told)
    classes = detector.info.classes
    missed = set(range(len(truth.classes))) - set(owner[owner >= 0].tolist())
    return {
        "path": name, "size": list(size),
        "true": [{"label": classes[int(label)], "box": _round(box), "spare": bool(spare),
                  "missed": k in missed and not spare}
                 for k, (label, box, spare) in
                 enumerate(zip(truth.classes, truth.boxes, truth.spare, strict=True))],
        "found": [{"label": classes[int(row[0])], "score": round(float(row[1]), 4),
                   "box": _round(row[2:]), "false": bool(who < 0)}
                  for row, who in zip(told, owner, strict=True)],
    }  # fmt: skip


def owners(truth: Truth, told: NDArray[Any]) -> NDArray[np.int64]:
    """(D,): the true box that each told one finds, surest first, each once; -1 for none."""
    owner = np.full(len(told), -1)
    free = np.ones(len(truth.classes), bool)
    over = overlaps(told[:, 2:].reshape(-1, 4), truth.boxes)
    for k, row in enumerate(told):
        fits = np.where(free & (truth.classes == row[0]), over[k], 0.0)
        if len(fits) and fits.max() >= OVERLAP:
            owner[k] = int(fits.argmax())
            free[owner[k]] = bool(truth.spare[owner[k]])
    return owner


def _curve(label: str, each: ClassMatches) -> dict[str, Any]:
    """Precision against recall at overlap 0.5, at up to CURVE_POINTS scores."""
    counted = ~each.ignored[0]
    hits, total = np.cumsum(each.hits[0][counted]), int(each.positives.sum())
    if not total or not len(hits):
        return {"label": label, "recall": [], "precision": [], "score": []}
    at = np.unique(np.linspace(0, len(hits) - 1, CURVE_POINTS).round().astype(int))
    return {
        "label": label,
        "recall": (hits[at] / total).round(4).tolist(),
        "precision": (hits[at] / (at + 1)).round(4).tolist(),
        "score": each.scores[counted][at].round(4).tolist(),
    }


def _round(box: Any) -> list[float]:
    return [round(float(value), 1) for value in box]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
