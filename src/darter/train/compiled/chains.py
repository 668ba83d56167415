"""A list of steps as chains: what goes over a batch together. See src/kernels/training/plan.hpp."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Ref:
    """An array of the plan.

    floats: of each image; of all for sums and statistics (`fixed`).   per_lane: as many times as
    the chain has lanes that writes it.   given: its number, where the caller brings it.   short:
    bfloat16 where it lives longer than a chain; see `darter.train.compiled.halves`.
    """

    floats: int
    fixed: bool = False
    per_lane: bool = False
    given: int | None = None
    short: bool = False

    @property
    def words(self) -> int:
        """Of 32 bits, where it lies in the arena."""
        return self.floats // 2 if self.short else self.floats


NOTHING = Ref(0)


@dataclass
class Item:
    """A step to be made: a function of the core and its arguments, some of them Refs.

    reduces: what is complete only when all images are done.   whole: True where all images go
    through it at once, because its weights exceed the caches; None where either will do.
    """

    function: str
    arguments: tuple[Any, ...]
    reads: tuple[Ref, ...]
    writes: tuple[Ref, ...]
    reduces: tuple[Ref, ...] = ()
    whole: bool | None = None

    def refs(self) -> Iterable[Ref]:
        return (ref for ref in (*self.reads, *self.writes, *self.reduces) if ref is not NOTHING)


@dataclass
class Chain:
    backward: bool
    items: list[Item] = field(default_factory=list)
    whole: bool | None = None
    reduced: set[int] = field(default_factory=set)

    def takes(self, item: Item, backward: bool) -> bool:
        needed = {id(ref) for ref in item.reads if ref is not NOTHING}
        if backward != self.backward or self.reduced & needed:
            return False
        return self.whole is None or item.whole is None or item.whole == self.whole

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.reduced |= {id(ref) for ref in item.reduces}
        if item.whole is not None:
            self.whole = item.whole


def chains_of(forward: list[Item], backward: list[Item], images: int) -> list[Chain]:
    """Steps go on in a chain until one needs what only the whole batch tells, or
    wants it at once."""
    chains: list[Chain] = []
    for items, back in ((forward, False), (backward, True)):
        for item in items:
            if not chains or not chains[-1].takes(item, back):
                chains.append(Chain(back))
            chains[-1].add(item)
    for chain in chains:
        chain.whole = chain.whole or images < 2
    return chains
