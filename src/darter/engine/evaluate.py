"""How good a model is on labelled pictures: accuracy with its interval, per class, calibration."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darter.engine import metrics
from darter.engine.info import Calibration
from darter.engine.metrics import ClassScore, ReliabilityBin
from darter.errors import ShapeError

TOP = 5  # classes listed per picture in `Evaluation.predictions`


@dataclass(frozen=True)
class Evaluation:
    """What was measured on n pictures. A figure that has no pictures behind it is None.

    interval: Wilson's 95% interval of the accuracy.   confusion: rows true, columns predicted.
    ece: expected calibration error.   coverage: share of pictures that get an answer and not
    "unknown".   accuracy_when_known: accuracy of those.   predictions: one dict per picture.
    """

    classes: tuple[str, ...]
    n: int
    accuracy: float | None
    interval: tuple[float, float]
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    ece: float | None
    reliability: tuple[ReliabilityBin, ...]
    calibration: Calibration
    coverage: float | None
    accuracy_when_known: float | None
    predictions: tuple[dict[str, Any], ...]

    def to_json(self, *, split: str | None = None, predictions: bool = True) -> dict[str, Any]:
        """Plain values for a JSON file: the run folder's evaluation.json."""
        record: dict[str, Any] = {
            "split": split,
            "n": self.n,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "ece": self.ece,
            "per_class": [asdict(row) for row in self.per_class],
            "confusion": {"labels": list(self.classes), "matrix": self.confusion.tolist()},
            "reliability": [asdict(row) for row in self.reliability],
            "calibration": {
                **asdict(self.calibration),
                "coverage": self.coverage,
                "accuracy_when_known": self.accuracy_when_known,
            },
        }
        if predictions:
            record["predictions"] = list(self.predictions)
        return record


def evaluate(
    logits: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    calibration: Calibration | None = None,
    paths: Sequence[str] | None = None,
) -> Evaluation:
    """Compare logits (n, classes) with true class indices (n,).

    paths: the pictures' names, for `Evaluation.predictions` (left empty without them).
    Raises ShapeError if the lengths or the number of classes disagree.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    classes, calibration = tuple(classes), calibration or Calibration()
    _check_shapes(logits, labels, classes, paths)
    probabilities = metrics.softmax(logits, calibration.temperature)
    predicted = probabilities.argmax(axis=1)
    confidence, correct = probabilities.max(axis=1), predicted == labels
    confusion = metrics.confusion_matrix(labels, predicted, len(classes))
    known, right_when_known = metrics.coverage(confidence, correct, calibration.unknown_below)
    n = len(labels)
    return Evaluation(
        classes=classes,
        n=n,
        accuracy=float(correct.mean()) if n else None,
        interval=metrics.wilson(int(correct.sum()), n),
        per_class=metrics.per_class(confusion, classes),
        confusion=confusion,
        ece=metrics.expected_calibration_error(confidence, correct),
        reliability=metrics.reliability(confidence, correct),
        calibration=calibration,
        coverage=known,
        accuracy_when_known=right_when_known,
        predictions=_predictions(paths or (), labels, probabilities, classes),
    )


def _predictions(
    paths: Sequence[str], labels: NDArray, probabilities: NDArray, classes: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    return tuple(
        {
            "path": str(path),
            "label": classes[labels[i]],
            "predicted": classes[order[i, 0]],
            "confidence": float(probabilities[i, order[i, 0]]),
            "top": [[classes[k], float(probabilities[i, k])] for k in order[i]],
        }
        for i, path in enumerate(paths)
    )


def _check_shapes(
    logits: NDArray, labels: NDArray, classes: tuple[str, ...], paths: Sequence[str] | None
) -> None:
    if logits.shape != (len(labels), len(classes)):
        raise ShapeError(
            f"evaluate: logits must be (pictures, classes) = ({len(labels)}, {len(classes)}); "
            f"got {logits.shape}"
        )
    if paths is not None and len(paths) != len(labels):
        raise ShapeError(f"evaluate: {len(paths)} paths for {len(labels)} pictures")
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(classes)):
        raise ShapeError(f"evaluate: labels must lie in 0…{len(classes) - 1}")
