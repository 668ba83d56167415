"""A file that also says how foreign a picture is, from the features of the trained net."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.noise import Ensemble, Novelty, fit_novelty
from darter.picture import Preprocess
from darter.train.device import choose_device, computing, move
from darter.train.examples import Examples
from darter.train.pictures import evaluation_loader
from darter.train.recipe import Recipe
from darter.train.validate import evaluate
from darter.transfer import Classifier

KEEP = 0.97  # of the model's own pictures are no strangers
LEAST_KEPT = 0.9  # of them, where strangers are at hand to weigh that against


class Exported(nn.Module):
    """pictures -> (logits, novelty (N, 1)): what a file holds. The features are computed once."""

    def __init__(self, model: Classifier | Ensemble, known: NDArray[np.float32]) -> None:
        super().__init__()
        self.model, self.novelty = model, Novelty(known)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, rest = _members(self.model)
        features = first.backbone.read(x, first.layers)
        logits = first.head(features)
        if isinstance(self.model, Ensemble):
            logits = self.model.joined([logits, *(member(x) for member in rest)])
        return logits, self.novelty(features)


class _Penultimate(nn.Module):
    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.backbone.read(x, self.model.layers)


def features_of(
    model: Classifier | Ensemble, pictures: Sequence[Any], preprocess: Preprocess, recipe: Recipe
) -> NDArray[np.float32]:
    """What the head of the (first) model reads, (N, D). The model is back on the CPU afterwards."""
    first, _ = _members(model)
    device = choose_device(recipe.device)
    examples = Examples(pictures, np.zeros(len(pictures), np.int64))
    with computing(device, recipe.threads):
        net = _Penultimate(first)
        move(net, device, recipe.channels_last)
        loader = evaluation_loader(examples, preprocess, recipe)
        rows = evaluate(net, loader, device, "float32", recipe.channels_last)
        first.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return rows


@dataclass(frozen=True)
class Strangeness:
    """known: for `Novelty`.   above: the novelty from which a picture is "unknown".
    kept: share of the model's own held-out pictures that stay below it.
    refused: share of the strangers that do not, None without strangers.
    auroc: chance that a stranger looks stranger than an own picture, by measure."""

    known: NDArray[np.float32]
    above: float
    kept: float
    refused: float | None = None
    auroc: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"above": self.above, "kept": self.kept, "refused": self.refused,
                "auroc": self.auroc, "pictures_known": len(self.known)}  # fmt: skip


def measure_strangeness(
    learned: NDArray[np.float32],
    strata: NDArray[np.int64],
    held: NDArray[np.float32],
    strangers: NDArray[np.float32] | None = None,
    *,
    most: int | None = None,
) -> Strangeness:
    """From features of training pictures, of held-out ones, and of strangers where there are any.

    Without strangers the threshold is the split-conformal one that lets KEEP of new pictures pass;
    with them, the one at which pictures kept and strangers refused are most together.
    most: pictures that are remembered.
    """
    known = (
        fit_novelty(learned, strata) if most is None else fit_novelty(learned, strata, most=most)
    )
    own = np.sort(_novelty(known, held))
    k = max(1, int((1 - KEEP) * (len(own) + 1)))
    above = float(own[-k])
    if strangers is None or not len(strangers):
        return Strangeness(known, above, float((own <= above).mean()))
    foreign = _novelty(known, strangers)
    limits = own[int(LEAST_KEPT * len(own)) :]
    worth = [(own <= t).mean() + (foreign > t).mean() for t in limits]
    above = float(limits[int(np.argmax(worth))])
    return Strangeness(
        known,
        above,
        float((own <= above).mean()),
        float((foreign > above).mean()),
        {"feature distance": auroc(own, foreign)},
    )


def auroc(own: NDArray[np.floating], foreign: NDArray[np.floating]) -> float:
    """Chance that a foreign value is above an own one; equal ones count half."""
    above = (foreign[:, None] > own[None]).mean()
    return float(above + 0.5 * (foreign[:, None] == own[None]).mean())


@torch.no_grad()
def _novelty(known: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float32]:
    return Novelty(known)(torch.from_numpy(np.ascontiguousarray(features)))[:, 0].numpy()


def _members(model: Classifier | Ensemble) -> tuple[Classifier, list[nn.Module]]:
    if isinstance(model, Ensemble):
        first, *rest = model.members
        assert isinstance(first, Classifier)
        return first, rest
    return model, []
