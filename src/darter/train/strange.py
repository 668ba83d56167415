"""A file that also says how foreign a picture is, from the features of the trained net."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darter.model import runtime_of
from darter.noise import DISAGREEMENT, DOUBTS, Doubt, Ensemble, Novelty, fit_novelty
from darter.picture import Preprocess
from darter.train.device import choose_device, computing, move
from darter.train.examples import Examples
from darter.train.exported import DISTANCE, InARow, Penultimate, Strangeness, members_of
from darter.train.pictures import evaluation_loader
from darter.train.recipe import Recipe
from darter.train.validate import evaluate
from darter.train.written import to_onnx
from darter.transfer import Classifier

KEEP = 0.97  # of the model's own pictures are no strangers
# Pictures of 224 × 224 from which an export of 5 s, after which each takes a fifth of PyTorch's
# time, is won back (EfficientNet-Lite0, 28 ms of processor time in PyTorch, at 256).
USUAL_SIDE, WRITING_PAYS_FROM = 224, 300
RESAMPLES = 1000  # of the bootstrap
LEAST_KEPT = 0.9  # of them, where strangers are at hand to weigh that against


@dataclass(frozen=True)
class Seen:
    """What a model makes of N pictures: features (N, D) that the head of the (first) model reads,
    and logits (models, N, classes) of every one.   shares: of these; none weighs all alike."""

    features: NDArray[np.float32]
    members: NDArray[np.float32]
    shares: Sequence[float] = ()


def features_of(
    model: Classifier | Ensemble, pictures: Sequence[Any], preprocess: Preprocess, recipe: Recipe
) -> NDArray[np.float32]:
    """What the head of the (first) model reads, (N, D). The model is back on the CPU afterwards."""
    first, _ = members_of(model)
    return _run(Penultimate(first), pictures, preprocess, recipe)


def seen_by(
    model: Classifier | Ensemble,
    preprocess: Preprocess,
    recipe: Recipe,
    *groups: Sequence[Any],
) -> list[Seen]:
    """Features and logits of all members, of each group of pictures. The model is back on the CPU
    afterwards."""
    first, rest = members_of(model)
    every = [picture for group in groups for picture in group]
    rows = _run(InARow(model), every, preprocess, recipe)
    width, ends = first.linear.in_features, np.cumsum([len(group) for group in groups])
    logits = rows[:, width:].reshape(len(rows), 1 + len(rest), -1).swapaxes(0, 1)
    shares = model.shares if isinstance(model, Ensemble) else ()
    return [
        Seen(rows[end - len(group) : end, :width], logits[:, end - len(group) : end], shares)
        for group, end in zip(groups, ends.tolist(), strict=True)
    ]


def _run(
    net: nn.Module, pictures: Sequence[Any], preprocess: Preprocess, recipe: Recipe
) -> NDArray[np.float32]:
    """What the net gives for pictures, (N, …): on a CPU, by the engine where that is worth it."""
    device = choose_device(recipe.device)
    examples = Examples(pictures, np.zeros(len(pictures), np.int64))
    loader = evaluation_loader(examples, preprocess, recipe)
    worth = len(pictures) * (preprocess.side / USUAL_SIDE) ** 2
    if device.type == "cpu" and worth >= WRITING_PAYS_FROM:
        move(net, torch.device("cpu"), channels_last=False)
        runtime = runtime_of(to_onnx(net, preprocess.side), "the trained model")
        batches = (np.ascontiguousarray(batch.images) for batch in loader.epoch(0))
        return np.concatenate([runtime.run(images)[0] for images in batches])
    with computing(device, recipe.threads):
        move(net, device, recipe.channels_last)
        rows = evaluate(net, loader, device, "float32", recipe.channels_last)
        move(net, torch.device("cpu"), channels_last=False)
    return rows


def measure_strangeness(
    learned: NDArray[np.float32],
    strata: NDArray[np.int64],
    held: NDArray[np.float32] | Seen,
    strangers: Seen | None = None,
    *,
    temperature: float = 1.0,
    most: int | None = None,
) -> Strangeness:
    """From features of training pictures, and what the model makes of held-out ones and strangers.

    Without strangers the measure is the feature distance, and the threshold the split-conformal
    one that lets KEEP of new pictures pass. With them, the measure is the one that tells them apart
    best, if it does better than the feature distance by more than the 95% interval; the threshold
    is the one at which pictures kept and strangers refused are most together.
    learned: (N, D).   strata: (N,), of the same pictures.   held: (M, D), or what was seen of them.
    temperature: of the answers.   most: pictures that are remembered.
    """
    known = (
        fit_novelty(learned, strata) if most is None else fit_novelty(learned, strata, most=most)
    )
    own = np.sort(_novelty(known, held.features if isinstance(held, Seen) else held))
    if strangers is None or not len(strangers.features):
        k = max(1, int((1 - KEEP) * (len(own) + 1)))
        above = float(own[-k])
        return Strangeness(known, above, float((own <= above).mean()))
    found = {DISTANCE: (own, _novelty(known, strangers.features))}
    if isinstance(held, Seen):
        found |= {m: (doubt(held, m, temperature), doubt(strangers, m, temperature))
                  for m in DOUBTS if m != DISAGREEMENT or len(held.members) > 1}  # fmt: skip
    measure, why = _choose(found)
    own, foreign = np.sort(found[measure][0]), found[measure][1]
    limits = own[int(LEAST_KEPT * len(own)) :]
    worth = [(own <= t).mean() + (foreign > t).mean() for t in limits]
    above = float(limits[int(np.argmax(worth))])
    return Strangeness(
        known,
        above,
        float((own <= above).mean()),
        float((foreign > above).mean()),
        {name: auroc(*pair) for name, pair in found.items()},
        measure,
        temperature,
        why,
    )


@torch.no_grad()
def doubt(seen: Seen, measure: str, temperature: float) -> NDArray[np.float32]:
    """(N,), as the file will compute it."""
    members = list(torch.from_numpy(np.ascontiguousarray(seen.members)))
    answer = members[0]
    if len(members) > 1:
        answer = Ensemble([nn.Identity()] * len(members), weights=seen.shares).joined(members)
    return Doubt(measure, temperature, seen.shares)(answer, members)[:, 0].numpy()


def _choose(found: Mapping[str, tuple[NDArray, NDArray]]) -> tuple[str, str]:
    """The measure that separates best, where that is proven, and why."""
    best = max(found, key=lambda name: auroc(*found[name]))
    if best == DISTANCE:
        return DISTANCE, "no measure separates better"
    gain = auroc(*found[best]) - auroc(*found[DISTANCE])
    low, high = gain_interval(found[DISTANCE], found[best])
    figures = f"by {gain:.3f} of AUROC (95% interval {low:+.3f} to {high:+.3f})"
    if low > 0:
        return best, f"{best} separates better than the feature distance {figures}"
    return DISTANCE, f"{best} does not separate better by more than its error: {figures}"


def gain_interval(
    before: tuple[NDArray, NDArray], after: tuple[NDArray, NDArray], *, seed: int = 0
) -> tuple[float, float]:
    """95% bootstrap interval of the gain in AUROC, of two measures of the same pictures.

    Each is (of own pictures (n,), of strangers (m,)); both kinds of pictures are drawn anew.
    """
    gain = _wins(*after) - _wins(*before)
    strangers, own = gain.shape
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(strangers, np.full(strangers, 1 / strangers), RESAMPLES) / strangers
    columns = rng.multinomial(own, np.full(own, 1 / own), RESAMPLES) / own
    draws = ((rows @ gain) * columns).sum(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def auroc(own: NDArray[np.floating], foreign: NDArray[np.floating]) -> float:
    """Chance that a foreign value is above an own one; equal ones count half."""
    return float(_wins(own, foreign).mean())


def _wins(own: NDArray[np.floating], foreign: NDArray[np.floating]) -> NDArray[np.float64]:
    """(strangers, own): 1 where the foreign value is above the own one, a half where equal."""
    return (foreign[:, None] > own[None]) + 0.5 * (foreign[:, None] == own[None])


@torch.no_grad()
def _novelty(known: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float32]:
    return Novelty(known)(torch.from_numpy(np.ascontiguousarray(features)))[:, 0].numpy()
