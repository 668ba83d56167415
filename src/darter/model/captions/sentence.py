"""The sentence for one picture."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Caption:
    """The likeliest sentence, and the runners-up.

    log_probability: of the sentence, given the picture (of a retrieved one: its similarity).
    others: (sentence, log probability), likeliest first.   error: why there is none.
    """

    source: str
    sentence: str | None
    log_probability: float = 0.0
    others: tuple[tuple[str, float], ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.source,
            "caption": self.sentence,
            "log_probability": round(self.log_probability, 5),
            "others": [[text, round(value, 5)] for text, value in self.others],
            "error": self.error,
        }
