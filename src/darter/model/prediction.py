"""The answer for one picture."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter import markup


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    label: the class, or None if the answer is "unknown", or none of several labels is likely
    enough, or the picture could not be read.   labels: all of them; one where the model gives one.
    confidence: the calibrated probability of the likeliest class, whether or not it is `label`.
    top: the likeliest classes with their probabilities, best first.   error: why there is none.
    notes: what was converted or is odd about its file, keys of `darter.picture.KINDS`.
    novelty: how foreign it is, where the model tells: how far from all training pictures, or by the
    measure that the card names under "unknown_by".
    """

    source: str
    label: str | None
    confidence: float
    unknown: bool
    top: tuple[tuple[str, float], ...]
    error: str | None = None
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    novelty: float | None = None

    def to_json(self) -> dict[str, Any]:
        own = {} if self.novelty is None else {"novelty": round(self.novelty, 6)}
        return {
            "path": self.source,
            "label": self.label,
            "labels": list(self.labels),
            "confidence": round(self.confidence, 6),
            "unknown": self.unknown,
            "top": [[label, round(p, 6)] for label, p in self.top],
            "error": self.error,
            "notes": list(self.notes),
        } | own

    def _repr_html_(self) -> str:
        """In a notebook: the picture, where it is a file, and the likeliest classes."""
        seen = _seen(self.source)
        shown = markup.picture(seen, self.answer) if seen else ""
        if self.error is not None:
            return markup.joined((shown, markup.paragraph(f"{self.source}: {self.error}")))
        rows = [(label, markup.bar(probability)) for label, probability in self.top]
        return markup.joined((shown, markup.table((self.answer, "probability"), rows)))

    @property
    def answer(self) -> str:
        """In words: the labels, "unknown", "none", or "unreadable"."""
        if self.error is not None:
            return "unreadable"
        return "unknown" if self.unknown else ", ".join(self.labels) or "none"

    def judged(self, novelty: float | None, unknown_above: float | None) -> "Prediction":
        """With its novelty, and "unknown" where that is above the threshold."""
        if novelty is None:
            return self
        if unknown_above is None or novelty <= unknown_above:
            return replace(self, novelty=novelty)
        return replace(self, label=None, labels=(), unknown=True, novelty=novelty)

    @classmethod
    def failed(cls, source: str, error: str) -> "Prediction":
        return cls(source, None, 0.0, False, (), error)


class Predictions(list[Prediction]):
    """A list that a notebook shows as pictures with their answers."""

    MOST = 60  # that are shown

    def _repr_html_(self) -> str:
        parts = []
        for each in self[: self.MOST]:
            words = f"{each.answer} {each.confidence:.0%}"
            words = words if each.error is None else f"{each.source}: {each.error}"
            seen = _seen(each.source)
            parts.append(markup.picture(seen, words) if seen else markup.paragraph(words))
        if len(self) > self.MOST:
            parts.append(markup.paragraph(f"and {len(self) - self.MOST} more"))
        return markup.joined(parts)


def _seen(source: str) -> bytes:
    """A small picture of the file that was asked about; nothing where it was no file."""
    from darter.errors import DataError
    from darter.picture import thumbnail

    try:
        return thumbnail(source)
    except DataError:
        return b""


def ranked(
    classes: tuple[str, ...], probabilities: NDArray[np.floating], top: int
) -> tuple[tuple[str, float], ...]:
    """The `top` likeliest classes with their probabilities, best first."""
    order = (-probabilities).argsort(kind="stable")[:top]
    return tuple((classes[k], float(probabilities[k])) for k in order)
