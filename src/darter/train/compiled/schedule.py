"""From a list of steps to chains, slots and one arena: see src/kernels/training/plan.hpp."""

from dataclasses import dataclass
from typing import Any

from darter.kernels import training_steps
from darter.train.compiled.arena import Lifetime, pack
from darter.train.compiled.chains import NOTHING, Chain, Item, Ref, chains_of
from darter.train.compiled.halves import halve

NONE, BATCH, GROUP, FIXED, GIVEN = range(5)
LANES = 8  # parts of a batch that threads may work on; fixed, so that their number changes no bit


@dataclass
class Scheduled:
    """plan: of the core.   forward: how many of its chains are.   floats: of the arena."""

    plan: Any
    forward: int
    floats: int
    names: list[str]  # of each chain, for those who look


def schedule(forward: list[Item], backward: list[Item], images: int) -> Scheduled:
    chains = chains_of(forward, backward, images)
    halve(chains)
    uses: dict[int, list[int]] = {}  # of each ref, by chain
    moments: dict[int, list[int]] = {}  # of each ref, by item
    refs: dict[int, Ref] = {}
    begin = 0
    for number, chain in enumerate(chains):
        for place, item in enumerate(chain.items):
            for ref in item.refs():
                refs[id(ref)] = ref
                uses.setdefault(id(ref), []).append(number)
                moments.setdefault(id(ref), []).extend(_moments(chain, begin, place))
        begin += len(chain.items)
    local = {  # refs that live in the scratch memory of one chain
        key
        for key, used in uses.items()
        if used[0] == used[-1]
        and not chains[used[0]].whole
        and not refs[key].fixed
        and refs[key].given is None
    }
    lanes = [1 if chain.whole else min(images, LANES) for chain in chains]
    keys = [key for key in uses if key not in local and refs[key].given is None]
    sizes = []
    for key in keys:
        ref, used = refs[key], moments[key]
        times = max(lanes[n] for n in uses[key]) if ref.per_lane else 1
        count = times if ref.fixed else images
        sizes.append(Lifetime(ref.words * count, min(used), max(used)))
    offsets, floats = pack(sizes)
    slots = {
        key: (FIXED if refs[key].fixed else BATCH, at, 0 if refs[key].fixed else refs[key].words)
        for key, at in zip(keys, offsets, strict=True)
    }
    plan = training_steps.Plan(images)
    for chain, count in zip(chains, lanes, strict=True):
        scratch = _place_local(chain, refs, local, slots)
        group = images if chain.whole else 1
        steps = [_make(item, slots, group) for item in chain.items]
        plan.add(steps, count, group, scratch)
    names = [" ".join(item.function for item in chain.items) for chain in chains]
    return Scheduled(plan, sum(not chain.backward for chain in chains), floats, names)


def _moments(chain: Chain, begin: int, place: int) -> tuple[int, int]:
    """When an item of a chain uses an array, by numbers of items; the chain's first is `begin`.

    Where all images go through at once, items follow each other; else each image begins anew, and
    sums and statistics are read and written at the ends of the chain, too.
    """
    if chain.whole:
        return begin + place, begin + place
    return begin, begin + len(chain.items) - 1


def _place_local(
    chain: Chain, refs: dict[int, Ref], local: set[int], slots: dict[int, tuple[int, int, int]]
) -> int:
    """Put the chain's own arrays into its scratch memory, as small as they can be: it is
    a cache."""
    spans: dict[int, list[int]] = {}
    for number, item in enumerate(chain.items):
        for ref in item.refs():
            if id(ref) in local:
                spans.setdefault(id(ref), []).append(number)
    sizes = [Lifetime(refs[key].floats, used[0], used[-1]) for key, used in spans.items()]
    offsets, floats = pack(sizes)
    for key, at in zip(spans, offsets, strict=True):
        slots[key] = (GROUP, at, refs[key].floats)
    return floats


def _make(item: Item, slots: dict[int, tuple[int, int, int]], images: int) -> Any:
    def settle(value: Any) -> Any:
        if isinstance(value, Ref):
            if value.given is not None:
                return (GIVEN, value.given, value.floats)
            return (NONE, 0, 0) if value is NOTHING else slots[id(value)]
        return value(images) if callable(value) else value

    return getattr(training_steps, item.function)(*map(settle, item.arguments))
