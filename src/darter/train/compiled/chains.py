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
MOST_WHOLE_FLOATS = 1 << 22  # of an array of all images, that no step needs at once


@dataclass
class Item:
    """A step to be made: a function of the core and its arguments, some of them Refs.

    reduces: what is complete only when all images are done.   whole: True where all images go
    through it at once, because its weights exceed the caches; None where either will do, see
    `images_at_once`.
    """

    function: str
    arguments: tuple[Any, ...]
    reads: tuple[Ref, ...]
    writes: tuple[Ref, ...]
    reduces: tuple[Ref, ...] = ()
    whole: bool | None = None

    def refs(self) -> Iterable[Ref]:
        return (ref for ref in (*self.reads, *self.writes, *self.reduces) if ref is not NOTHING)

    def images_at_once(self, images: int) -> bool | None:
        """`whole`, but False where the batch of one of its arrays would be large: an image at a
        time, what a chain alone knows stays in the caches."""
        if self.whole is not None:
            return self.whole
        floats = (ref.floats for ref in self.refs() if not ref.fixed)
        return False if max(floats, default=0) * images > MOST_WHOLE_FLOATS else None


@dataclass
class Chain:
    backward: bool
    items: list[Item] = field(default_factory=list)
    whole: bool | None = None
    reduced: set[int] = field(default_factory=set)

    def takes(self, item: Item, backward: bool, whole: bool | None) -> bool:
        needed = {id(ref) for ref in item.reads if ref is not NOTHING}
        if backward != self.backward or self.reduced & needed:
            return False
        return self.whole is None or whole is None or whole == self.whole

    def add(self, item: Item, whole: bool | None) -> None:
        self.items.append(item)
        self.reduced |= {id(ref) for ref in item.reduces}
        if whole is not None:
            self.whole = whole


def chains_of(forward: list[Item], backward: list[Item], images: int) -> list[Chain]:
    """Steps go on in a chain until one needs what only the whole batch tells, or
    wants it at once."""
    chains: list[Chain] = []
    for items, back in ((forward, False), (backward, True)):
        for item in items:
            whole = item.images_at_once(images)
            if not chains or not chains[-1].takes(item, back, whole):
                chains.append(Chain(back))
            chains[-1].add(item, whole)
    for chain in chains:
        chain.whole = chain.whole or images < 2
    return chains
