"""One sentence on what the training was worth, from the same test pictures for both models."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darter.model import paired_interval


@dataclass(frozen=True)
class Margin:
    """How much more often the model is right than its baseline, on the same pictures.

    standard_error: of the difference, from the pictures on which the two disagree.
    """

    difference: float
    standard_error: float
    pictures: int

    @property
    def clear(self) -> bool:
        return self.difference > self.standard_error

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "clear": self.clear}


def margin(model_right: ArrayLike, baseline_right: ArrayLike) -> Margin:
    """model_right, baseline_right: bool (N,), one entry per picture in the same order, N >= 1."""
    gain = np.asarray(model_right, np.float64) - np.asarray(baseline_right, np.float64)
    return Margin(float(gain.mean()), float(gain.std() / np.sqrt(len(gain))), len(gain))


def paired(model_right: ArrayLike, before_right: ArrayLike) -> dict[str, Any]:
    """A margin as a record, with the paired 95% interval and how many pictures differ each way."""
    gain = np.asarray(model_right, np.float64) - np.asarray(before_right, np.float64)
    return margin(model_right, before_right).to_json() | {
        "interval": paired_interval(gain),
        "better": int((gain > 0).sum()),
        "worse": int((gain < 0).sum()),
    }


def verdict(
    strategy: str,
    accuracy: float,
    baseline: float,
    found: Margin,
    *,
    measure: str = "accuracy",
    part: str = "test",
    steps: int | None = None,
    best_epoch: int | None = None,
    asked: bool = False,
    caution: str | None = None,
) -> str:
    """A sentence or two for a person who has never trained a network.

    accuracy, baseline: means over the pictures of what `measure` names.
    asked: whether this strategy was asked for, and no other tried.
    caution: why the accuracy is less than it looks; it is said first.
    steps, best_epoch: of the training, where known; epoch 0 is its start, a linear classifier.
    """
    praise = _praise(strategy, accuracy, baseline, found, measure, part, steps, best_epoch, asked)
    return praise if caution is None else f"{caution}. {praise}"


def _praise(
    strategy: str,
    accuracy: float,
    baseline: float,
    found: Margin,
    measure: str,
    part: str,
    steps: int | None,
    best_epoch: int | None,
    asked: bool,
) -> str:
    """How it compares with the baseline."""
    if strategy == "linear-probe" and asked:
        return (
            "This is the baseline itself, a linear classifier on the pretrained network, as asked "
            "for."
        )
    if strategy == "linear-probe":
        return (
            "The baseline itself, a linear classifier on the pretrained network, was kept: "
            "nothing that was tried did clearly better on held-out training pictures."
        )
    if steps == 0 and strategy.startswith("fine-tune"):
        return (
            "There was no time left to train, so this model is the linear baseline that training "
            "starts from; give more time."
        )
    if best_epoch == 0 and strategy.startswith("fine-tune"):
        reached = f"It is right for {accuracy:.1%} of the {part} pictures"
        if measure != "accuracy":
            reached = f"Its {measure} is {accuracy:.1%} on the {part} pictures"
        return (
            "Training made nothing better on the validation pictures, so this model is the linear "
            f"classifier that it started from. {reached}; the linear baseline reaches "
            f"{baseline:.1%}. More --time may help."
        )
    who = "The classifier on all layers" if strategy.startswith("linear") else "Training"
    figures = f"{accuracy:.1%} against {baseline:.1%} on {found.pictures} {part} pictures"
    figures = figures if measure == "accuracy" else f"{measure} {figures}"
    spread = f"{100 * found.difference:+.1f} points ± {100 * found.standard_error:.1f}"
    if found.clear:
        return f"{who} beat the linear baseline: {figures} ({spread} standard error)."
    if found.difference < -found.standard_error:
        return f"{who} did worse than the linear baseline: {figures} ({spread} standard error)."
    return f"{who} did not clearly beat the linear baseline: {figures} ({spread} standard error)."
