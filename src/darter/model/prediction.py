"""The answer for one picture."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    label: the class, or None if the answer is "unknown", or none of several labels is likely
    enough, or the picture could not be read.   labels: all of them; one where the model gives one.
    confidence: the calibrated probability of the likeliest class, whether or not it is `label`.
    top: the likeliest classes with their probabilities, best first.   error: why there is none.
    notes: what was converted or is odd about its file, keys of `darter.picture.KINDS`.
    """

    source: str
    label: str | None
    confidence: float
    unknown: bool
    top: tuple[tuple[str, float], ...]
    error: str | None = None
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.source,
            "label": self.label,
            "labels": list(self.labels),
            "confidence": round(self.confidence, 6),
            "unknown": self.unknown,
            "top": [[label, round(p, 6)] for label, p in self.top],
            "error": self.error,
            "notes": list(self.notes),
        }

    @classmethod
    def failed(cls, source: str, error: str) -> "Prediction":
        return cls(source, None, 0.0, False, (), error)


def ranked(classes: tuple[str, ...], probabilities: Any, top: int) -> tuple[tuple[str, float], ...]:
    """The `top` likeliest classes with their probabilities, best first."""
    order = (-probabilities).argsort(kind="stable")[:top]
    return tuple((classes[k], float(probabilities[k])) for k in order)
