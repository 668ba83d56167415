"""What every task tells the rooms that find, train, judge and use models."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from darter.model.info import Calibration, ModelInfo
from darter.model.prediction import Prediction

Floats = NDArray[Any]  # float32 or float64


class Task(Protocol):
    """Targets of pictures as arrays, and logits (N, classes) held against them.

    name: as in files and records.   measure: what the mean of `rightness` is called.
    """

    name: str
    measure: str

    def targets(self, labels: Sequence[Sequence[str]], classes: Sequence[str]) -> NDArray[Any]:
        """The labels of each picture as an array with one row, or number, per picture."""

    def strata(self, targets: NDArray[Any]) -> NDArray[np.int64]:
        """(N,): the kind of each picture, of which every part of a split should have its share."""

    def dense(self, targets: NDArray[Any], classes: int) -> NDArray[np.float32]:
        """(N, classes): 1 for each label that a picture has, else 0."""

    def probabilities(self, logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
        """(N, classes). A higher temperature is less sure."""

    def loss_and_slope(self, logits: Floats, dense: Floats) -> tuple[Floats, Floats]:
        """Log loss of each picture in nats (N,), and its derivative by the logits (N, classes)."""

    def curvature(self, classes: int) -> float:
        """Second derivative of the loss by one logit where all logits are 0."""

    def rightness(self, logits: Floats, targets: NDArray[Any]) -> NDArray[np.float64]:
        """(N,): how right each picture's answer is, from 0 to 1."""

    def answers(
        self, probabilities: NDArray[np.float64], calibration: Calibration
    ) -> NDArray[np.bool_]:
        """(N, classes): the labels that are given to each picture, whether sure or not."""

    def differ(
        self,
        ours: NDArray[np.float64],
        theirs: NDArray[np.float64],
        calibration: Calibration,
        tie: float,
    ) -> NDArray[np.bool_]:
        """(N,): where two tables of probabilities give other answers, and not by `tie` or less."""

    def calibrate(
        self, logits: Floats, targets: NDArray[Any], *, keep: float = 0.98
    ) -> Calibration:
        """Temperature and thresholds from held-out pictures."""

    def prediction(
        self,
        source: str,
        logits: Floats,
        info: ModelInfo,
        *,
        top: int,
        below: float | None = None,
    ) -> Prediction:
        """Logits (classes,) as an answer. below: replaces the thresholds of the model."""

    def losses(self, logits: Floats, targets: NDArray[Any]) -> NDArray[np.float64]:
        """(N,): log loss of each picture in nats."""
