"""What each layer could become, how long that takes here, and what it is likely to cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darter.arrange.answers import divergence
from darter.arrange.captured import fit_last, outputs_of, project
from darter.arrange.cost import Cost, Stopwatch
from darter.arrange.kinds import Kind, Layer, kinds_of

SHARES = (0.75, 0.5, 0.375, 0.25, 0.1875, 0.125)  # of the channels
BLOCK = 16  # channels that the engine computes together
FASTER = 0.95  # of the layer's time: less is a gain that can be measured
ALWAYS = 3  # candidates of a layer whose damage is measured


@dataclass
class Candidate:
    """kind, rank: None and 0 for the layer as it is.   unmet: share of the variance of the layer's
    outputs that is lost.   damage: what that does to the net's answers, in nats per picture.
    """

    kind: Kind | None
    rank: int
    cost: Cost
    unmet: float = 0.0
    damage: float = 0.0

    @property
    def name(self) -> str:
        return "as it was" if self.kind is None else f"{self.kind.name} {self.rank}"


def ranks_of(kind: Kind, layer: Layer) -> list[int]:
    """Ranks worth trying, from large to small: whole blocks of channels where there are several."""
    outputs, inputs = layer.weight.shape[:2]
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    widest = max(outputs // groups, inputs)
    found = []
    for share in SHARES:
        rank = share * widest
        rank = BLOCK * round(rank / BLOCK) if rank >= BLOCK else round(rank)
        if 1 <= rank < kind.full(layer):
            found.append(int(rank))
    return sorted(set(found), reverse=True)


def better_candidates(
    layer: Layer,
    shape: Sequence[int],
    watch: Stopwatch,
    allowed: Sequence[str] | None,
    *,
    faster: bool = True,
) -> tuple[Candidate, list[Candidate]]:
    """The layer as it is, and every kind and rank of it that is smaller, and measurably faster
    here, unless size alone is what counts."""
    original = Candidate(None, 0, watch.cost(layer, shape))
    found = []
    for kind in kinds_of(layer, allowed):
        for rank in ranks_of(kind, layer):
            empty = untrained(kind, layer, rank)
            candidate = Candidate(kind, rank, watch.cost(empty, shape))
            smaller = candidate.cost.weights < original.cost.weights
            if smaller and (not faster or candidate.cost.ms < FASTER * original.cost.ms):
                found.append(candidate)
    return original, found


def untrained(kind: Kind, layer: Layer, rank: int) -> nn.Sequential:
    """Layers of the right shapes; CP's own fit would take long, and times do not depend on it."""
    if kind.name != "cp":
        return kind.split(layer, rank)
    window: Any = layer
    outputs, inputs, r, s = window.weight.shape
    groups, wide = window.groups, rank * window.groups
    return nn.Sequential(
        nn.Conv2d(inputs * groups, wide, 1, groups=groups),
        nn.Conv2d(wide, wide, (r, s), window.stride, window.padding, window.dilation, wide),
        nn.Conv2d(wide, outputs, 1, groups=groups),
    )


def rewritten(
    kind: Kind, layer: Layer, rank: int, inputs: Sequence[Tensor], wanted: Sequence[Tensor]
) -> tuple[nn.Sequential, float]:
    """The layer split, fitted to what is wanted of it; and the share of variance that is lost."""
    parts = kind.split(layer, rank)
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    if kind.name in ("channel", "low-rank") and groups == 1:
        project(layer, parts, rank, inputs, wanted)
    return parts, fit_last(parts, inputs, wanted)


def measure_damage(
    net: nn.Module,
    name: str,
    candidates: list[Candidate],
    pictures: Sequence[Tensor],
    logits: Sequence[Tensor],
    replace: Callable[[str, nn.Module], None],
    *,
    several: bool = False,
    price: Callable[[Candidate], float] = lambda candidate: candidate.cost.ms,
) -> list[Candidate]:
    """Fill in `unmet` and `damage`; candidates that another beats in both price and damage go.

    A few are put into the net and its answers compared; damage of the others is in proportion to
    `unmet`, which it follows closely for one layer.
    """
    layer: Any = net.get_submodule(name)
    inputs, wanted = outputs_of(net, name, layer, pictures)
    made = {}
    for candidate in candidates:
        assert candidate.kind is not None
        parts, candidate.unmet = rewritten(candidate.kind, layer, candidate.rank, inputs, wanted)
        made[id(candidate)] = parts
    front = frontier(candidates, price)
    step = max(1, len(front) // ALWAYS)
    rates = []
    for candidate in front[step // 2 :: step]:
        replace(name, made[id(candidate)])
        damage = mean_divergence(net, pictures, logits, several=several)
        rates.append(damage / max(candidate.unmet, 1e-9))
    replace(name, layer)
    for candidate in front:
        candidate.damage = candidate.unmet * sum(rates) / len(rates)
    return front


def frontier(
    candidates: Sequence[Candidate], price: Callable[[Candidate], float]
) -> list[Candidate]:
    """Those that no other beats both in price and in what is lost, the cheapest first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (price(c), c.unmet)):
        if not kept or candidate.unmet < kept[-1].unmet:
            kept.append(candidate)
    return kept


@torch.no_grad()
def mean_divergence(
    net: nn.Module, pictures: Sequence[Tensor], logits: Sequence[Tensor], *, several: bool = False
) -> float:
    """Of the net's answers from those of the logits, nats per picture."""
    total = 0.0
    for x, expected in zip(pictures, logits, strict=True):
        total += len(x) * float(divergence(net(x), expected, several=several))
    return total / sum(map(len, pictures))
