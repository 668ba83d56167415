"""What a diagnosis says: the times, the part that limits, one remedy."""

from dataclasses import asdict, dataclass
from typing import Any

from darter.doctor.memory import Memory
from darter.doctor.parts import Parts

NAMES = {
    "reading": "Reading files",
    "decoding": "Decoding pictures",
    "augmentation": "Augmentation",
    "model": "The model's step",
    "memory": "Memory",
}


@dataclass(frozen=True)
class Times:
    """Seconds per picture of the differential runs. Each run leaves out more than the one before,
    the last one only the model. waiting: share of `everything` that the model waited."""

    everything: float
    without_reading: float
    without_decoding: float
    without_augmentation: float
    without_model: float
    waiting: float

    @classmethod
    def measured(
        cls,
        everything: float,
        without_reading: float,
        without_decoding: float,
        without_augmentation: float,
        without_model: float,
        waiting: float,
    ) -> "Times":
        """Times of a real machine: where a run that does less took longer, something else kept the
        machine busy, and the parts that it leaves out saved nothing."""
        reading = min(everything, without_reading)
        decoding = min(reading, without_decoding)
        augmentation = min(decoding, without_augmentation)
        model = min(everything, without_model)
        return cls(everything, reading, decoding, augmentation, model, waiting)

    def saved(self) -> dict[str, float]:
        """Seconds per picture that go away with each part."""
        return {
            "reading": self.everything - self.without_reading,
            "decoding": self.without_reading - self.without_decoding,
            "augmentation": self.without_decoding - self.without_augmentation,
            "model": self.everything - self.without_model,
        }


@dataclass(frozen=True)
class Diagnosis:
    """limit: a key of `NAMES`.   remedy: what to do.   speedup: how much faster training should be
    with it.   verified: how much faster it was, where that was tried.
    kept: the pictures stay decoded in memory, so that only the first epoch reads them."""

    limit: str
    remedy: str
    speedup: float
    times: Times
    parts: Parts
    memory: Memory
    pictures: int
    kept: bool
    verified: float | None = None

    def sentence(self) -> str:
        """The part that limits, in one sentence."""
        if self.limit == "memory":
            return (
                f"Memory limits training: {_gigabytes(self.memory.free)} are free while it has "
                f"taken {_gigabytes(self.memory.peak)}."
            )
        whole = self.times.everything
        rest = max(whole - self.times.saved()[self.limit], 1e-9)
        return (
            f"{NAMES[self.limit]} limits training: an epoch takes "
            f"{_duration(whole * self.pictures)}, without it {_duration(rest * self.pictures)}."
        )

    def advice(self) -> str:
        """The remedy with its expected gain, and what came of it."""
        text = f"Remedy: {self.remedy}. Expected: up to {self.speedup:.2g} times as fast."
        if self.verified is not None:
            text += f" Tried: {self.verified:.2g} times as fast."
        return text

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"sentence": self.sentence(), "advice": self.advice()}


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
