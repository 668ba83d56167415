"""What the race hands on: trials, candidates, and the choice with its evidence."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.model import wilson
from darter.transfer.strategies import Strategy


@dataclass(frozen=True)
class Trial:
    """One short training: which held-out pictures were right, and what it cost.

    correct: float per held-out picture, in the order given: 1 or 0, or between for answers of
    several labels (see `Task.rightness`). loss: mean held-out log loss.
    pace: seconds per picture from the end of its first step to that of its last; None where it
    had no second step.   precision: that it computed in; None where nothing was trained.
    """

    correct: NDArray[np.float64]
    seconds: float
    loss: float
    pace: float | None = None
    precision: str | None = None

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())


@dataclass(frozen=True, eq=False)
class TrialCall:
    """One short training to do.   train, held_out: positions of pictures, integers (N,)."""

    strategy: Strategy
    learning_rate: float
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    epochs: int
    seed: int

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Equal for calls that give the same trial."""
        positions = self.train.tobytes(), self.held_out.tobytes()
        return self.strategy.name, self.learning_rate, *positions, self.epochs, self.seed


TrialFunction = Callable[[TrialCall], Trial]
Ahead = Callable[[Sequence[TrialCall]], None]


@dataclass(eq=False)
class Candidate:
    """A strategy at one learning rate, and what happened to it.

    status: "winner", "finished" (measured to the end), "eliminated" or "not tried"; `why` says
    it in a sentence. accuracy and pictures: over the held-out pictures of its last rung.
    """

    strategy: Strategy
    learning_rate: float
    status: str = "not tried"
    why: str = ""
    accuracy: float | None = None
    pictures: int = 0
    seconds: float = 0.0
    rungs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def label(self) -> str:
        rate = "" if self.strategy.is_probe else f" at rate {self.learning_rate:g}"
        return f"{self.strategy.name}{rate}"

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95% interval of the accuracy."""
        if self.accuracy is None:
            return None
        return wilson(round(self.accuracy * self.pictures), self.pictures)

    def to_json(self) -> dict[str, Any]:
        return {
            "strategy": self.strategy.name,
            "title": self.strategy.title,
            "learning_rate": self.learning_rate,
            "accuracy": self.accuracy,
            "interval": None if self.interval is None else list(self.interval),
            "pictures": self.pictures,
            "seconds": round(self.seconds, 3),
            "rungs": self.rungs,
            "status": self.status,
            "why": self.why,
        }


@dataclass(frozen=True)
class Cell:
    """A data set's place in the table of transfer learning: amount of data × similarity to the
    pretraining data ("unknown" where nothing tells), with the measured reasons and the help that
    fits."""

    amount: str
    similarity: str
    pictures_per_class: float
    last_layer_share: float | None
    inner_layer_gap: float | None
    reasons: tuple[str, ...]
    advice: str

    def to_json(self) -> dict[str, Any]:
        return {
            "amount": self.amount,
            "similarity": self.similarity,
            "pictures_per_class": self.pictures_per_class,
            "last_layer_share": self.last_layer_share,
            "inner_layer_gap": self.inner_layer_gap,
            "reasons": list(self.reasons),
            "advice": self.advice,
        }


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy of the probe after `pictures` training pictures, over several draws."""

    pictures: int
    accuracy: float
    standard_error: float


@dataclass(frozen=True)
class Choice:
    """The strategy and learning rate to train with, and all the evidence.

    baseline: the linear probe on the last layer, always measured.
    seconds_per_picture: strategy name -> measured cost of training on one picture once.
    mirror_safe: a mirror image keeps its label and does no harm, so that training may flip.
    sizes: what `choose_size` measured, where it was asked.
    challengers: where a probe won, the candidates that deserve a full training all the same.
    chance: accuracy on the training pictures without looking, by naming the commonest class.
    """

    strategy: Strategy
    learning_rate: float
    why: str
    candidates: tuple[Candidate, ...]
    baseline: Candidate
    learning_curve: tuple[CurvePoint, ...]
    advice: str
    cell: Cell
    mirror_safe: bool
    mirror_why: str
    budget_seconds: float
    spent_seconds: float
    seconds_per_picture: dict[str, float]
    sizes: tuple[dict[str, Any], ...] = ()
    challengers: tuple[Candidate, ...] = ()
    chance: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "budget_seconds": self.budget_seconds,
            "chance": self.chance,
            "spent_seconds": round(self.spent_seconds, 3),
            "candidates": [c.to_json() for c in self.candidates],
            "winner": {
                "strategy": self.strategy.name,
                "layers": self.strategy.layers,
                "learning_rate": self.learning_rate,
                "why": self.why,
            },
            "challengers": [
                {
                    "strategy": c.strategy.name,
                    "layers": c.strategy.layers,
                    "learning_rate": c.learning_rate,
                }
                for c in self.challengers
            ],
            "learning_curve": [
                {
                    "pictures": p.pictures,
                    "accuracy": p.accuracy,
                    "standard_error": p.standard_error,
                }
                for p in self.learning_curve
            ],
            "advice": self.advice,
            "cell": self.cell.to_json(),
            "mirror": {"safe": self.mirror_safe, "why": self.mirror_why},
            "seconds_per_picture": self.seconds_per_picture,
            "sizes": list(self.sizes),
        }


def paired(best: NDArray, other: NDArray) -> tuple[float, float]:
    """Mean and standard error of the difference of two classifiers on the same pictures."""
    difference = best.astype(float) - other.astype(float)
    if len(difference) < 2:
        return float(difference.sum()), math.inf
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def cheapest_within_one_standard_error(
    contenders: Sequence[tuple[Candidate, NDArray]],
) -> tuple[Candidate, Candidate, float, float]:
    """The cheapest contender that is not clearly worse than the most accurate one.

    contenders: each with its hits on the same held-out pictures.
    Returns (the one to keep, the most accurate, their difference in accuracy, its standard error).
    """
    best, best_hits = max(contenders, key=lambda c: (c[1].mean(), -c[0].strategy.cost))
    for candidate, hits in sorted(contenders, key=lambda c: (c[0].strategy.cost, -c[1].mean())):
        difference, error = paired(best_hits, hits)
        if candidate is best or difference <= error:
            return candidate, best, difference, error
    raise AssertionError("the best contender is within one standard error of itself")
