"""Train a classifier by a recipe; see `fit`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from darter.train.recipe import Recipe

if TYPE_CHECKING:
    from darter.transfer.backbone import Classifier
    from darter.transfer.strategies import Strategy


@dataclass(frozen=True)
class Examples:
    """Pictures (paths or decoded) and their class indices, int64 of the same length."""

    pictures: Sequence[Any]
    labels: NDArray[np.int64]


class Progress(Protocol):
    """What `fit` tells while it runs; `TrainingBar` shows it in a terminal."""

    def planned(self, plan: "Plan") -> None: ...
    def step(self, step: int, loss: float, accuracy: float, pictures_per_second: float) -> None: ...
    def epoch(self, record: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What was decided when the run started; saved, so that a resumed run does the same.

    why: sentences for the report (precision, number of epochs).
    """

    epochs: int
    steps: int
    steps_per_epoch: int
    precision: str
    class_balance: str
    learning_rate: float
    why: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """A trained model, on the CPU, in evaluation mode, in float32.

    val_logits: float32 (N, classes) of the validation pictures, computed in float32.
    history: one record per epoch, as in metrics.jsonl; the first (epoch 0) is before training.
    ended: "all epochs", "early stopping", "time" or "nothing to train" (probes).
    """

    model: "Classifier"
    plan: Plan
    history: tuple[dict[str, Any], ...]
    best_epoch: int
    val_accuracy: float
    val_logits: NDArray[np.float32]
    ended: str
    seconds: float


def fit(
    model: "Classifier",
    strategy: "Strategy",
    recipe: Recipe,
    train: Examples,
    val: Examples,
    out: Path | None,
    *,
    augment: Any,
    preprocess: Any,
    seconds: float | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = 20.0,
) -> Fitted:
    """Train `model` in place, from the weights and the head that it holds.

    augment, preprocess: how training and validation pictures become tensors.
    out: RUN folder for checkpoints/, metrics.jsonl and tensorboard/; None writes nothing.
    seconds: time limit; the number of epochs is planned from a measured step to respect it.
    resume: continue from out/checkpoints if it holds one, to the same bits.
    Raises Interrupted after SIGINT or SIGTERM, with the state saved.
    """
    raise NotImplementedError
