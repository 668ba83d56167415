"""Modules that give what a file holds: logits, novelty, draws, of one model or several."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.noise import DRAWS, Doubt, Draws, Ensemble, Novelty
from darter.transfer import Classifier

DISTANCE = "feature distance"


@dataclass(frozen=True)
class Strangeness:
    """known: for `Novelty`.   above: the novelty from which a picture is "unknown".
    kept: share of the model's own held-out pictures that stay below it.
    refused: share of the strangers that do not, None without strangers.
    auroc: chance that a stranger looks stranger than an own picture, by measure.
    measure: what the file gives as novelty, "feature distance" or one of `darter.noise.DOUBTS`;
    temperature: of that.   why: it was chosen."""

    known: NDArray[np.float32]
    above: float
    kept: float
    refused: float | None = None
    auroc: dict[str, float] | None = None
    measure: str = DISTANCE
    temperature: float = 1.0
    why: str = "there were no strangers to compare measures on"

    def to_json(self) -> dict[str, Any]:
        return {"above": self.above, "kept": self.kept, "refused": self.refused,
                "auroc": self.auroc, "pictures_known": len(self.known),
                "measure": self.measure, "why": self.why}  # fmt: skip


class Exported(nn.Module):
    """pictures -> what a file holds, as `outputs` names it. The features are computed once.

    novelty: (N, 1), of the features, by `known`, or the answer's own doubt.
    draws: (N, draws × classes), answers of one model with its head's noise on.
    """

    def __init__(
        self, model: Classifier | Ensemble, strange: "Strangeness | None", draws: int = 0
    ) -> None:
        super().__init__()
        self.model, self.draws = model, None
        self.novelty: Novelty | None = None
        self.doubt: Doubt | None = None
        self.outputs = ["logits"] + ["novelty"] * (strange is not None) + [DRAWS] * (draws > 0)
        if draws:
            first, _ = members_of(model)
            self.draws = Draws(first.linear, first.dropout.p, draws)
        if strange is None:
            return
        if strange.measure == DISTANCE:
            self.novelty = Novelty(strange.known)
        else:
            shares = model.shares if isinstance(model, Ensemble) else ()
            self.doubt = Doubt(strange.measure, strange.temperature, shares)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        features, members = parts_of(self.model, x)
        logits = self.model.joined(members) if isinstance(self.model, Ensemble) else members[0]
        found = [logits]
        if self.novelty is not None:
            found.append(self.novelty(features))
        if self.doubt is not None:
            found.append(self.doubt(logits, members))
        if self.draws is not None:
            found.append(self.draws(features))
        return tuple(found)


class InARow(nn.Module):
    """pictures -> features of the (first) model, and logits of every one, side by side."""

    def __init__(self, model: Classifier | Ensemble) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        features, members = parts_of(self.model, x)
        return torch.cat([features, *members], dim=1)


class Penultimate(nn.Module):
    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.backbone.read(x, self.model.layers)


def members_of(model: Classifier | Ensemble) -> tuple[Classifier, list[nn.Module]]:
    if isinstance(model, Ensemble):
        first, *rest = model.members
        assert isinstance(first, Classifier)
        return first, rest
    return model, []


def parts_of(model: Classifier | Ensemble, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Features that the head of the (first) model reads, and logits of each model."""
    first, rest = members_of(model)
    features = first.backbone.read(x, first.layers)
    return features, [first.head(features), *(member(x) for member in rest)]
