"""The input size: small pictures need not be blown up to what the backbone was trained with.

On a CPU the time of training goes with the square of the size, so half of it is four times faster.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.model import Task
from darter.picture import ValueRange
from darter.transfer.backbone import Backbone
from darter.transfer.bench import stratified
from darter.transfer.features import Progress, Source, features
from darter.transfer.probe import CLASSIFY, cross_validated
from darter.transfer.records import paired

SIZES = (64, 96, 128, 160, 192, 224)
ENLARGED = 5  # times; beyond, pictures only get blurred and slow
PICTURES = 1500  # at most, to measure on


@dataclass(frozen=True)
class SizeChoice:
    """size: pixels per side. records: {"size", "accuracy", "standard_error", "pictures"} for each
    size that was measured; standard_error is of the difference to the best."""

    size: int
    why: str
    records: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"size": self.size, "why": self.why, "records": list(self.records)}

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> "SizeChoice":
        return cls(entries["size"], entries["why"], tuple(entries["records"]))


def choose_size(
    backbone: Backbone,
    sources: Sequence[Source],
    targets: NDArray[Any],
    groups: NDArray[np.int64],
    *,
    classes: int,
    task: Task = CLASSIFY,
    picture_side: int,
    sizes: Sequence[int] | None = None,
    crop: str = "center",
    value_range: ValueRange | None = None,
    cache_dir: Path | None = None,
    device: str = "auto",
    seed: int = 0,
    seconds: float = math.inf,
    progress: Progress | None = None,
) -> SizeChoice:
    """The smallest input size whose linear probe is within one standard error of the best.

    sources, targets, groups: the training pictures. picture_side: their usual short side in
    pixels; where it is no less than the backbone's own size, or the backbone takes one size only,
    nothing is measured. crop, value_range: as for `Preprocess`.
    sizes: what to measure; None: 64, 96, … up to the backbone's own size.
    seconds: about; larger sizes that would take longer are not measured.
    """
    if sizes is None:
        if backbone.fixed_size:
            return SizeChoice(backbone.size, f"{backbone.name} takes this size only")
        if picture_side >= backbone.size:
            return SizeChoice(backbone.size, f"what suits {backbone.name} best")
        useful = ENLARGED * picture_side
        sizes = [s for s in SIZES if s < backbone.size and (s <= useful or s == SIZES[0])]
        sizes += [backbone.size] if backbone.size <= useful else []
    chosen = stratified(np.arange(len(targets)), task.strata(targets), PICTURES, seed)
    part = [sources[i] for i in chosen]
    hits: dict[int, NDArray[np.float64]] = {}
    started, cost = time.monotonic(), 0.0
    for size in sorted(sizes):
        spent = time.monotonic() - started
        if hits and spent + cost * size**2 > seconds:
            break
        preprocess = backbone.preprocess(size, crop, value_range)
        found = features(
            backbone, part, preprocess, cache_dir=cache_dir, device=device, progress=progress
        )
        hits[size] = cross_validated(
            task, found.last, targets[chosen], groups[chosen], classes, seed
        )
        cost = (time.monotonic() - started - spent) / size**2
    best = max(hits, key=lambda size: (hits[size].mean(), -size))
    records = []
    size = best
    for candidate in sorted(hits, reverse=True):
        difference, error = paired(hits[best], hits[candidate])
        if candidate <= best and difference <= error:
            size = candidate
        records.append(
            {
                "size": candidate,
                "accuracy": float(hits[candidate].mean()),
                "standard_error": error,
                "pictures": len(chosen),
            }
        )
    why = f"the probe reaches {hits[size].mean():.1%} on {len(chosen)} pictures"
    if size != best:
        why += f", within one standard error of the best ({hits[best].mean():.1%} at {best} pixels)"
    if len(hits) < len(sizes):
        why += f"; no time to measure more than {max(hits)} pixels"
    return SizeChoice(size, why, tuple(reversed(records)))
