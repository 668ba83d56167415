"""How good the answers of a model are that gives any number of labels per picture."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ShapeError
from darter.model.curves import PrecisionRecall, average_precision, every_precision_recall
from darter.model.info import Calibration
from darter.model.metrics import NORMAL_95
from darter.model.prediction import ranked
from darter.model.tasks import Multilabel

RESAMPLES = 400  # of the bootstrap
TOP = 5  # classes listed per picture


@dataclass(frozen=True)
class LabelScore:
    """One label's row; what has no pictures behind it is None.

    average_precision: over all thresholds.   precision, recall, f1: at `threshold`.
    count: pictures that have the label.
    """

    label: str
    average_precision: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    threshold: float
    count: int


@dataclass(frozen=True)
class MultilabelEvaluation:
    """What was measured on n pictures.

    mean_average_precision: the mean over the labels that some picture has; interval: its 95%
    interval, from pictures drawn again with replacement.   accuracy: how right each picture is on
    average (see `Multilabel`).   exact: share of pictures whose labels are all right and no more.
    micro_f1: of all labels of all pictures together.
    predictions: one dict per picture.   unreadable: pictures that are not among the n, and why.
    """

    classes: tuple[str, ...]
    n: int
    mean_average_precision: float | None
    interval: tuple[float, float]
    accuracy: float | None
    exact: float | None
    micro_f1: float | None
    per_label: tuple[LabelScore, ...]
    calibration: Calibration
    precision_recall: tuple[PrecisionRecall, ...]
    predictions: tuple[dict[str, Any], ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    measure = "mean average precision"
    caution = None  # no single answer can be right for all pictures by being common

    @property
    def beside(self) -> dict[str, Any]:
        """What belongs beside the score wherever it is told."""
        return {}

    @property
    def score(self) -> float | None:
        return self.mean_average_precision

    @property
    def right(self) -> NDArray[np.float64]:
        """How right each of `predictions` is, from 0 to 1."""
        return np.array([p["rightness"] for p in self.predictions], np.float64)

    def _repr_html_(self) -> str:
        from darter.model.shown import multilabel_html

        return multilabel_html(self)

    def to_json(self, *, split: str | None = None, predictions: bool = True) -> dict[str, Any]:
        """Plain values for a JSON file: the run folder's evaluation.json."""
        record: dict[str, Any] = {
            "task": Multilabel.name,
            "split": split,
            "n": self.n,
            "mean_average_precision": self.mean_average_precision,
            "interval": list(self.interval),
            "accuracy": self.accuracy,
            "exact": self.exact,
            "micro_f1": self.micro_f1,
            "per_label": [asdict(row) for row in self.per_label],
            "calibration": {
                **asdict(self.calibration),
                "thresholds": list(self.calibration.thresholds),
            },
            "unreadable": [{"path": path, "error": error} for path, error in self.unreadable],
        }
        if predictions:
            record["curves"] = {"precision_recall": [c.to_json() for c in self.precision_recall]}
            record["predictions"] = list(self.predictions)
        return record


def evaluate_multilabel(
    logits: NDArray[Any],
    targets: NDArray[np.float32],
    classes: Sequence[str],
    *,
    calibration: Calibration | None = None,
    paths: Sequence[str] = (),
) -> MultilabelEvaluation:
    """Compare logits (n, classes) with targets (n, classes), 1 for each label of a picture.

    paths: the pictures' names, for `predictions` (left empty without them).
    Raises ShapeError where logits, targets and classes do not fit together.
    """
    if logits.shape != targets.shape or logits.shape[1] != len(classes):
        raise ShapeError(
            f"evaluate: logits {logits.shape} and targets {targets.shape} must both be (pictures, "
            f"{len(classes)} classes)"
        )
    task, calibration, classes = Multilabel(), calibration or Calibration(), tuple(classes)
    probabilities = task.probabilities(logits, calibration.temperature)
    given, true = task.answers(probabilities, calibration), targets > 0
    right = task.rightness(logits, targets)
    n = len(targets)
    thresholds = calibration.thresholds or (0.5,) * len(classes)
    score, interval = mean_average_precision(logits, true)
    return MultilabelEvaluation(
        classes=classes,
        n=n,
        mean_average_precision=score,
        interval=interval,
        accuracy=float(right.mean()) if n else None,
        exact=float((given == true).all(axis=1).mean()) if n else None,
        micro_f1=_f1(given.ravel(), true.ravel()),
        per_label=tuple(
            _label_score(label, logits[:, k], given[:, k], true[:, k], thresholds[k])
            for k, label in enumerate(classes)
        ),
        calibration=calibration,
        precision_recall=every_precision_recall(classes, probabilities, true),
        predictions=tuple(
            _row(str(path), probabilities[i], given[i], true[i], float(right[i]), classes)
            for i, path in enumerate(paths)
        ),
    )


def mean_average_precision(
    scores: NDArray[Any], true: NDArray[np.bool_], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float | None, tuple[float, float]]:
    """The mean over the labels that occur, and its 95% interval by the bootstrap over pictures.

    The interval is the score ± 1.96 standard deviations of the resampled ones, within [0, 1].
    """
    score = _mean_over_labels(scores, true)
    if score is None:
        return None, (0.0, 1.0)
    rng = np.random.default_rng(seed)
    n = len(true)
    drawn = (rng.integers(0, n, n) for _ in range(resamples))
    again = [_mean_over_labels(scores[rows], true[rows]) for rows in drawn]
    spread = NORMAL_95 * float(np.std([value for value in again if value is not None]))
    return score, (max(0.0, score - spread), min(1.0, score + spread))


def _mean_over_labels(scores: NDArray[Any], true: NDArray[np.bool_]) -> float | None:
    each = [average_precision(scores[:, k], true[:, k]) for k in range(true.shape[1])]
    known = [value for value in each if value is not None]
    return float(np.mean(known)) if known else None


def _label_score(
    label: str,
    scores: NDArray[Any],
    given: NDArray[np.bool_],
    true: NDArray[np.bool_],
    threshold: float,
) -> LabelScore:
    hits = int((given & true).sum())
    return LabelScore(
        label=label,
        average_precision=average_precision(scores, true),
        precision=hits / int(given.sum()) if given.any() else None,
        recall=hits / int(true.sum()) if true.any() else None,
        f1=_f1(given, true),
        threshold=float(threshold),
        count=int(true.sum()),
    )


def _f1(given: NDArray[np.bool_], true: NDArray[np.bool_]) -> float | None:
    total = int(given.sum() + true.sum())
    return 2 * int((given & true).sum()) / total if total else None


def _row(
    path: str,
    probabilities: NDArray[np.float64],
    given: NDArray[np.bool_],
    true: NDArray[np.bool_],
    right: float,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    likeliest = ranked(classes, probabilities, TOP)
    return {
        "path": path,
        "labels": [classes[k] for k in np.flatnonzero(true)],
        "predicted": [classes[k] for k in np.flatnonzero(given)],
        "rightness": right,
        "confidence": likeliest[0][1],
        "top": [[label, p] for label, p in likeliest],
    }
