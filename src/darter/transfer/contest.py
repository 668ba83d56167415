"""Which pretrained net to start from: those at hand, compared on the user's own training pictures.

    choice = choose_backbone(zoo.offline_names(), pictures, labels, groups, classes=2, seconds=60)
    backbone = zoo.load(choice.name)

Each net's features of the same pictures are judged by a linear probe that has not seen them. Of
the nets that are not the default, the better half goes on to twice the pictures (successive
halving), until there are no more pictures or no more time. A net must beat the default, the
cheapest, by more than the error of the comparison; among those that do, the cheapest that is not
clearly worse than the best is taken.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from darter.errors import DarterError
from darter.model import Task
from darter.picture import ValueRange
from darter.transfer import zoo
from darter.transfer.backbone import Backbone
from darter.transfer.bench import stratified
from darter.transfer.extract import has_bfloat16, torch_extractor
from darter.transfer.features import Progress, Source, features
from darter.transfer.probe import CLASSIFY, cross_validated
from darter.transfer.records import paired

FIRST, MOST = 200, 1600  # pictures of the first and of the last round
LEVEL = 1.96  # standard errors of a 95% interval
DEAREST = 0.25  # of all the time, at most, for a net's features of all training pictures
TIMED = 8  # pictures in the batch that is timed
AT_ONCE = 12  # nets; a hub's cache may hold hundreds

Loader = Callable[[str], Backbone]


@dataclass
class Rival:
    """A net, and what was measured of it.

    milliseconds: of the net per picture, alone.   accuracy: of its probe, on `pictures` held-out
    training pictures.   gain, interval: over the default on the same pictures.
    status: "kept", "finished", "eliminated" or "not tried"; `why` says it in a sentence.
    """

    name: str
    size: int = 0
    milliseconds: float | None = None
    accuracy: float | None = None
    pictures: int = 0
    gain: float | None = None
    interval: tuple[float, float] | None = None
    status: str = "not tried"
    why: str = ""


@dataclass(frozen=True)
class BackboneChoice:
    """name, size: the net to start from, and its input.   rivals: the default first."""

    name: str
    size: int
    why: str
    rivals: tuple[Rival, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> "BackboneChoice":
        rivals = tuple(Rival(**each) for each in entries["rivals"])
        return cls(**{**entries, "rivals": rivals})


@dataclass
class _Contest:
    """The nets that are still in it, and how right each is on the pictures seen so far."""

    nets: dict[str, tuple[Backbone, Rival]]
    hits: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)  # seconds per picture, decoding included


def choose_backbone(
    names: Sequence[str],
    sources: Sequence[Source],
    targets: NDArray[Any],
    groups: NDArray[np.int64],
    *,
    classes: int,
    task: Task = CLASSIFY,
    size: int | None = None,
    crop: str = "center",
    value_range: ValueRange | None = None,
    cache_dir: Path | None = None,
    device: str = "auto",
    seed: int = 0,
    seconds: float = math.inf,
    later: float = math.inf,
    load: Loader = zoo.load,
    progress: Progress | None = None,
) -> BackboneChoice:
    """The net whose features separate these pictures best, for what it costs.

    names: nets whose weights are here, the default first.
    sources, targets, groups: the training pictures.
    size: pixels per side, for all nets; None: each one's own.
    seconds: about, for all of this.   later: seconds for the whole run that follows, in which the
        net must be affordable.
    load: from a name to its net.   crop, value_range: as for `Preprocess`.
    """
    started, first = time.monotonic(), names[0]
    rivals = {name: Rival(name) for name in names}
    contest = _Contest({})
    for name in names:
        if len(contest.nets) < AT_ONCE:
            _enter(contest, rivals[name], load, size, device, later, len(sources))
        else:
            rivals[name].why = f"{AT_ONCE} nets are compared at most; name this one to use it"
    order = stratified(np.arange(len(targets)), task.strata(targets), MOST, seed)
    count = min(FIRST, len(order))
    while len(contest.nets) > 1:
        chosen = stratified(order, task.strata(targets), count, seed)
        part = [sources[i] for i in chosen]
        for name in list(contest.nets):
            backbone, rival = contest.nets[name]
            left = seconds - (time.monotonic() - started)
            if _cost(contest, name, first) * (count - rival.pictures) > left and name != first:
                _drop(contest, name, f"no time was left to look at {count} pictures")
                continue
            began = time.monotonic()
            look = backbone.preprocess(rival.size, crop, value_range)
            found = features(
                backbone, part, look, cache_dir=cache_dir, device=device, progress=progress
            )
            contest.hits[name] = cross_validated(
                task, found.last, targets[chosen], groups[chosen], classes, seed
            )
            contest.cost[name] = (time.monotonic() - began) / max(1, count - rival.pictures)
            _note(rival, contest.hits[name], contest.hits[first], name == first)
        last = count == len(order) or seconds <= time.monotonic() - started
        if last:
            break
        _halve(contest, first)
        count = min(2 * count, len(order))
    return _decide(contest, list(rivals.values()), time.monotonic() - started)


def _enter(
    contest: _Contest,
    rival: Rival,
    load: Loader,
    size: int | None,
    device: str,
    later: float,
    pictures: int,
) -> None:
    """Load a net and time it, unless it cannot be loaded or would take too long."""
    try:
        backbone = load(rival.name)
    except DarterError as error:
        if not contest.nets:  # without the default there is nothing to compare with
            raise
        rival.why = str(error)
        return
    rival.size = backbone.size if size is None or backbone.fixed_size else size
    rival.milliseconds = _milliseconds(backbone, rival.size, device)
    needed = 2 * pictures * rival.milliseconds / 1000  # mirror images, too
    if contest.nets and needed > DEAREST * later:
        rival.why = (
            f"its features of {pictures} training pictures would take {needed:.0f} s of "
            f"{later:.0f} s; give more --time"
        )
        return
    contest.nets[rival.name] = backbone, rival


def _cost(contest: _Contest, name: str, first: str) -> float:
    """Seconds per picture; of a net that has seen none, by the default's and both nets' speed."""
    if name in contest.cost or first not in contest.cost:
        return contest.cost.get(name, 0.0)
    mine, plain = (contest.nets[n][1].milliseconds or 1.0 for n in (name, first))
    return contest.cost[first] * mine / plain


def _milliseconds(backbone: Backbone, size: int, device: str) -> float:
    """Per picture, in batches of TIMED, the better of two tries after a first."""
    gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    dtype = torch.bfloat16 if gpu or has_bfloat16() else torch.float32
    run = torch_extractor(backbone, torch.device("cuda" if gpu else "cpu"), dtype)
    images, found = np.zeros((TIMED, 3, size, size), np.float32), []
    for _ in range(3):
        started = time.perf_counter()
        run(images)
        found.append(time.perf_counter() - started)
    return 1e3 * min(found[1:]) / TIMED


def _note(rival: Rival, hits: NDArray, plain: NDArray, is_default: bool) -> None:
    rival.accuracy, rival.pictures, rival.status = float(hits.mean()), len(hits), "finished"
    if is_default:
        return
    gain, error = paired(hits, plain)
    rival.gain, rival.interval = gain, (gain - LEVEL * error, gain + LEVEL * error)


def _halve(contest: _Contest, first: str) -> None:
    """The default goes on with the better half of the others."""
    others = [name for name in contest.nets if name != first]
    others.sort(key=lambda name: -float(contest.hits[name].mean()))
    for name in others[math.ceil(len(others) / 2) :]:
        best = contest.nets[others[0]][1]
        accuracy = float(contest.hits[name].mean())
        _drop(contest, name, f"{accuracy:.1%} against {best.accuracy:.1%} of {best.name} "
              f"on {best.pictures} pictures")  # fmt: skip


def _drop(contest: _Contest, name: str, why: str) -> None:
    _, rival = contest.nets.pop(name)
    rival.status, rival.why = "eliminated" if rival.pictures else "not tried", why


def _decide(contest: _Contest, rivals: list[Rival], seconds: float) -> BackboneChoice:
    plain = rivals[0]
    ended = [rival for _, rival in contest.nets.values() if rival.gain is not None]
    better = [rival for rival in ended if rival.interval is not None and rival.interval[0] > 0]
    kept = plain
    if better:
        best = max(better, key=lambda rival: rival.accuracy or 0.0)
        for rival in sorted(better, key=lambda rival: rival.milliseconds or 0.0):
            gain, error = paired(contest.hits[best.name], contest.hits[rival.name])
            if rival is best or gain <= LEVEL * error:
                kept = rival
                break
    for rival in ended:
        if rival is not kept:
            rival.why = _lost(rival, kept, plain)
    kept.status = "kept"
    kept.why = _sentence(kept, rivals)
    return BackboneChoice(kept.name, kept.size, kept.why, tuple(rivals), round(seconds, 3))


def _lost(rival: Rival, kept: Rival, plain: Rival) -> str:
    if rival.interval is None or rival.interval[0] <= 0:
        return f"{_gain(rival)}: no more than its error"
    return f"{_gain(rival)} over {plain.name}, but not clearly better than {kept.name} for its cost"


def _sentence(kept: Rival, rivals: list[Rival]) -> str:
    plain, *others = rivals
    if kept is not plain:
        times = (kept.milliseconds or 0.0) / (plain.milliseconds or 1.0)
        return f"{_gain(kept)} over {plain.name}, at {times:.1f} times its cost per picture"
    measured = [rival for rival in others if rival.gain is not None]
    if not measured:
        return f"no other net was measured ({others[0].name}: {others[0].why})"
    best = max(measured, key=lambda rival: rival.gain or 0.0)
    found = f"{_gain(best)} with {best.name} on {best.pictures} pictures"
    if best.status == "eliminated" and best.interval is not None and best.interval[0] > 0:
        return f"the largest gain is {found}, but {best.why}"
    return f"no other net pays here: the largest gain is {found}"


def _gain(rival: Rival) -> str:
    low, high = rival.interval or (0.0, 0.0)
    gain = 100 * (rival.gain or 0.0)
    return f"{gain:+.1f} points (95% interval {100 * low:+.1f} to {100 * high:+.1f})"
