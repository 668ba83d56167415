"""A trained net rewritten smaller and faster.

    found = factorize(net, pictures, held, score, Wish(speedup=2))
    found.net, found.layers

1. Every layer is split in every way and at several ranks; what is not faster on this machine goes.
2. How much each split changes the net's answers is measured on pictures.
3. The whole net's splits are chosen at once: most time saved for the least change.
4. From the input to the output, each new layer is fitted to what the original net gives there.
5. The net is taught by the original, and must meet the wish on held-out pictures.
"""

import copy
import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn

from darter.arrange.candidates import (
    Candidate,
    better_candidates,
    measure_damage,
    rewritten,
    untrained,
)
from darter.arrange.captured import input_shapes, outputs_of
from darter.arrange.choose import Step, steps
from darter.arrange.cost import Stopwatch
from darter.arrange.rebuild import replacer
from darter.arrange.tune import Tuning, distill, measure_norms
from darter.arrange.wish import Factorized, LayerChange, Net, Say, Wish, Work

PROBE, FIT = 64, 256  # pictures: to measure damage; to fit layers
RECOVERED = 4.0  # times the allowed loss that teaching is trusted to win back
TRIES = 4
LATE = "no time was left to look at it"
FLOAT = 4  # bytes


def factorize(
    net: Net,
    pictures: Tensor,
    score: Callable[[Net], float],
    wish: Wish,
    *,
    time: Callable[[Net], float],
    watch: Stopwatch | None = None,
    kinds: Sequence[str] | None = None,
    tuning: Tuning | None = None,
    say: Say = lambda sentence: None,
    teacher: Net | None = None,
    until: float = math.inf,
) -> Factorized[Net]:
    """Rewrite a trained net; the one that is given stays as it is.

    net: of nn.Conv2d and nn.Linear, e.g. a GraphModule.   pictures: float (N, C, H, W), as the net
    takes them; training pictures.   score(net): of held-out pictures, 1 is best.
    time(net): milliseconds of the whole net as it will be used.   kinds: keys of KINDS and
    LINEAR_KINDS; all but cp by default.   tuning: how it is taught; 0 steps for not at all.
    teacher: what it is measured against and taught by, where that is not the net itself.
    until: when, by `monotonic`, no further layer is looked at; those that take longest come first.
    Layers that would not be faster on this machine are left alone, and `layers` says so.
    """
    net = copy.deepcopy(net).eval()
    teacher = net if teacher is None else teacher
    work = Work(net, teacher, pictures, time, score, tuning or Tuning(), say, until)
    watch = watch or Stopwatch()
    by_size = wish.size is not None
    candidates = _candidates(work, watch, kinds, faster=wish.of_speed or not by_size)
    before = time(teacher), score(teacher)
    path = steps(work.originals, candidates, _weights_saved if by_size else _time_saved)
    work.tell(f"{len(path) - 1} steps, each the least damage for what it saves")
    chosen, made, met = _as_wished(work, wish, path, before)
    after = time(made), score(made)
    return Factorized(
        made, _changes(work, chosen), (before[0], after[0]), (before[1], after[1]),
        met, tuple(work.log),
    )  # fmt: skip


def _time_saved(original: Candidate, candidate: Candidate) -> float:
    return original.cost.ms - candidate.cost.ms


def _weights_saved(original: Candidate, candidate: Candidate) -> float:
    return float(original.cost.weights - candidate.cost.weights)


def _candidates(
    work: Work[Net], watch: Stopwatch, kinds: Sequence[str] | None, *, faster: bool
) -> dict[str, list[Candidate]]:
    """For each layer that could be faster (or else: smaller), what it could become."""
    net = work.net
    modules = {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    probe = work.batches(PROBE)
    shapes = input_shapes(net, modules, probe[0][:1])
    found: dict[str, list[Candidate]] = {}
    for name, shape in shapes.items():
        layer: Any = modules[name]
        if monotonic() > work.until:
            work.originals[name] = Candidate(None, 0, watch.cost(layer, shape))
            work.unchanged[name] = LATE
            continue
        work.originals[name], better = better_candidates(layer, shape, watch, kinds, faster=faster)
        if better:
            found[name] = better
        else:
            work.unchanged[name] = f"no split of it is {'faster here' if faster else 'smaller'}"
    how = "faster on this machine" if faster else "smaller"
    work.tell(f"{len(found)} of {len(shapes)} layers can be {how}")
    with torch.no_grad():
        logits = [net(x) for x in probe]
    for name in sorted(found, key=lambda name: -work.originals[name].cost.ms):
        if monotonic() > work.until:
            del found[name]
            work.unchanged[name] = LATE
            continue
        front = measure_damage(
            net, name, found[name], probe, logits, replacer(net), several=work.tuning.several,
            price=(lambda c: c.cost.ms) if faster else (lambda c: c.cost.weights),
        )  # fmt: skip
        found[name] = front
        choices = (
            front[0].name
            if len(front) == 1
            else f"{len(front)} choices, from {front[0].name} to {front[-1].name}"
        )
        work.tell(f"{work.called(name)}: {choices}")
    return found


def _as_wished(
    work: Work[Net], wish: Wish, path: list[Step], before: tuple[float, float]
) -> tuple[Step, Net, bool]:
    """The step of the path to take, the net that it gives, and whether it is as wished."""
    if wish.max_loss is not None and wish.speedup is None and wish.ms is None and wish.size is None:
        return _within_loss(work, wish.max_loss, path, before)
    at = _reach(work, wish, path, before[0])
    if not at:
        work.tell("nothing to rewrite: the wish is met, or no layer can be faster")
        return path[0], copy.deepcopy(work.net), _fits(work, wish, work.net, before[0])
    made = _apply(work, path[at])
    _teach(work, made)
    fits = _fits(work, wish, made, before[0])
    lost = before[1] - work.score(made)
    if wish.max_loss is not None and lost > wish.max_loss:
        work.tell(f"{lost:.2%} lost, more than the {wish.max_loss:.2%} allowed")
        fits = False
    return path[at], made, fits


def _reach(work: Work[Net], wish: Wish, path: list[Step], now: float) -> int:
    """The first step whose net is measured to be as fast and small as wished; else the last. Nets
    of the right shapes are measured: fitting one takes longer than all of this."""
    low, high = 0, len(path) - 1
    while low < high:
        middle = (low + high) // 2
        if _fits(work, wish, _shaped(work, path[middle]), now):
            high = middle
        else:
            low = middle + 1
    return low


def _shaped(work: Work[Net], step: Step) -> Net:
    """The net with the layers of a step, not fitted."""
    made = copy.deepcopy(work.net)
    replace = replacer(made)
    for name, candidate in step.choice.items():
        if candidate.kind is not None:
            layer: Any = made.get_submodule(name)
            replace(name, untrained(candidate.kind, layer, candidate.rank))
    return made


def _fits(work: Work[Net], wish: Wish, net: Net, now: float) -> bool:
    small = sum(p.numel() for p in net.parameters()) * FLOAT <= (wish.size or math.inf)
    return small and (wish.most_ms(now) == math.inf or work.time(net) <= wish.most_ms(now))


def _within_loss(
    work: Work[Net], allowed: float, path: list[Step], before: tuple[float, float]
) -> tuple[Step, Net, bool]:
    """The furthest step whose net, once taught, loses no more than is allowed."""
    low, high = 0, len(path) - 1
    while low < high:  # without teaching, which is trusted to win back some of it
        middle = (low + high + 1) // 2
        lost = before[1] - work.score(_apply(work, path[middle], quiet=True))
        low, high = (middle, high) if lost <= RECOVERED * allowed else (low, middle - 1)
    at = low
    for _ in range(TRIES):
        if not at:
            break
        made = _apply(work, path[at])
        _teach(work, made)
        lost = before[1] - work.score(made)
        work.tell(f"step {at} of {len(path) - 1}: {lost:+.2%} lost, {allowed:.2%} allowed")
        if lost <= allowed:
            return path[at], made, True
        at = int(at * 0.7)
    work.tell("no rewriting keeps within the allowed loss; the net stays as it was")
    return path[0], copy.deepcopy(work.net), False


def _apply(work: Work[Net], step: Step, *, quiet: bool = False) -> Net:
    """The net with the layers of a step, each fitted to the original net's outputs."""
    made = copy.deepcopy(work.net)
    replace, batches = replacer(made), work.batches(FIT)
    changed = [n for n, c in step.choice.items() if c.kind is not None]
    for name in changed:  # in the order in which they run
        candidate = step.choice[name]
        layer: Any = made.get_submodule(name)
        inputs, _ = outputs_of(made, name, layer, batches)
        _, wanted = outputs_of(work.net, name, work.net.get_submodule(name), batches)
        assert candidate.kind is not None
        parts, candidate.unmet = rewritten(candidate.kind, layer, candidate.rank, inputs, wanted)
        replace(name, parts)
    if work.tuning.norms:
        measure_norms(made, batches)
    if not quiet:
        work.tell(f"{len(changed)} layers rewritten and fitted to the original's outputs")
    return made


def _teach(work: Work, made: nn.Module) -> None:
    if work.tuning.steps:
        done = distill(made, work.teacher, work.pictures, work.tuning)
        work.tell(f"taught by the original net: {done} steps")
        if work.tuning.norms:
            measure_norms(made, work.batches(FIT))


def _changes(work: Work, chosen: Step) -> tuple[LayerChange, ...]:
    rows = []
    for name, original in work.originals.items():
        new = chosen.choice.get(name, original)
        left = work.unchanged.get(name, "left as it was: others save more for less damage")
        rows.append(
            LayerChange(
                name,
                left if new.kind is None else new.name,
                None if new.kind is None else new.kind.name,
                new.rank,
                (original.cost.weights, new.cost.weights),
                (original.cost.multiply_adds, new.cost.multiply_adds),
                (original.cost.ms, new.cost.ms),
                new.unmet,
            )
        )
    return tuple(rows)
