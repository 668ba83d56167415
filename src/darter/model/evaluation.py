"""What was measured of a classifier on labelled pictures."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.model.confidence import CalibrationError, ReliabilityBin
from darter.model.curves import PrecisionRecall, ThresholdPoint
from darter.model.info import Calibration
from darter.model.metrics import ClassScore, Majority
from darter.model.tasks import Classify
from darter.model.words import accuracy_caution, confidence_words


@dataclass(frozen=True)
class Evaluation:
    """What was measured on n pictures. A figure that has no pictures behind it is None.

    interval: Wilson's 95% interval of the accuracy.   majority: what always naming the commonest
    class would reach.   balanced_accuracy, macro_f1: with every class counted alike.
    confusion: rows true, columns predicted.   calibration_error, reliability: of the confidence.
    threshold_curve, precision_recall: at every threshold.
    coverage: share of pictures that get an answer and not "unknown".   accuracy_when_known:
    accuracy of those.   predictions: one dict per picture.
    unreadable: pictures that are not among the n, with the reason.
    """

    classes: tuple[str, ...]
    n: int
    accuracy: float | None
    interval: tuple[float, float]
    majority: Majority | None
    balanced_accuracy: float | None
    macro_f1: float | None
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    calibration_error: CalibrationError | None
    reliability: tuple[ReliabilityBin, ...]
    calibration: Calibration
    coverage: float | None
    accuracy_when_known: float | None
    threshold_curve: tuple[ThresholdPoint, ...]
    precision_recall: tuple[PrecisionRecall, ...]
    predictions: tuple[dict[str, Any], ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    measure = Classify.measure

    @property
    def score(self) -> float | None:
        return self.accuracy

    @property
    def right(self) -> NDArray[np.float64]:
        """How right each of `predictions` is: 1 or 0."""
        return np.array([p["predicted"] == p["label"] for p in self.predictions], np.float64)

    @property
    def beside(self) -> dict[str, Any]:
        """What belongs beside the accuracy wherever it is told."""
        return {
            "majority": self.majority and asdict(self.majority),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "caution": self.caution,
        }

    @property
    def ece(self) -> float | None:
        """Expected calibration error."""
        return None if self.calibration_error is None else self.calibration_error.value

    @property
    def caution(self) -> str | None:
        """Why the accuracy is less than it looks, where it is."""
        if self.accuracy is None:
            return None
        return accuracy_caution(self.interval, self.majority, self.balanced_accuracy, self.accuracy)

    @property
    def confidence_says(self) -> str | None:
        """Whether the confidence may be believed, in words."""
        return confidence_words(self.calibration_error, self.reliability, self.accuracy)

    def _repr_html_(self) -> str:
        from darter.model.shown import evaluation_html

        return evaluation_html(self)

    def to_json(self, *, split: str | None = None, predictions: bool = True) -> dict[str, Any]:
        """Plain values for a JSON file: the run folder's evaluation.json."""
        error = self.calibration_error
        record: dict[str, Any] = {
            "split": split,
            "n": self.n,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            **self.beside,
            "ece": self.ece,
            "ece_interval": error and list(error.interval),
            "ece_by_chance": error and error.by_chance,
            "confidence_says": self.confidence_says,
            "per_class": [asdict(row) for row in self.per_class],
            "confusion": {"labels": list(self.classes), "matrix": self.confusion.tolist()},
            "reliability": [
                {**asdict(row), "interval": list(row.interval)} for row in self.reliability
            ],
            "calibration": {
                **asdict(self.calibration),
                "thresholds": list(self.calibration.thresholds),
                "coverage": self.coverage,
                "accuracy_when_known": self.accuracy_when_known,
            },
            "unreadable": [{"path": path, "error": error} for path, error in self.unreadable],
        }
        if predictions:
            record["curves"] = {
                "threshold": [asdict(point) for point in self.threshold_curve],
                "precision_recall": [curve.to_json() for curve in self.precision_recall],
            }
            record["predictions"] = list(self.predictions)
        return record
