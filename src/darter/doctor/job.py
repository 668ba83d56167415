"""The training job that is examined, as a value whose parts can be left out one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from darter.dataset import Batch
from darter.picture import Augment, Picture, Preprocess, decode, read

SEED = 0


class Model(Protocol):
    """What is trained."""

    def step(self, batch: Batch) -> object:
        """One training step; returns when it is done."""
        ...

    def lighter(self) -> "tuple[Lighter, ...]":
        """Ways to make a step cheaper, the first one first."""
        ...


@dataclass(frozen=True)
class Lighter:
    """advice: what to tell the user.   speedup: how much faster a step should be.

    model, size: what to run to verify it; the size of the pictures in pixels.
    """

    advice: str
    speedup: float
    model: Callable[[], Model]
    size: int


@dataclass(frozen=True)
class Job:
    """Pictures, what is done to them, and the model.

    samples: the pictures that are looked at, a part of all `total` ones.
    read: file -> content; a slow disk can be played here.
    threads: of the loader; None lets it decide, as in training.
    kept: all pictures are decoded before and stay in memory, as in all epochs but the first where
        there is memory enough.
    """

    samples: tuple[Path, ...]
    augment: Augment
    model: Model
    total: int
    batch_size: int = 16
    threads: int | None = None
    read: Callable[[Path], bytes] = read
    kept: bool = False

    def with_size(self, size: int) -> "Job":
        changed = replace(self.augment, size=size)
        return replace(self, augment=changed)

    def in_memory(self) -> "Job":
        """The same job, its files read before."""
        contents = {path: self.read(path) for path in self.samples}
        return replace(self, read=contents.__getitem__)

    def decode(self, content: bytes, min_side: int) -> Picture:
        """As the loader would."""
        return decode(content, min_side=min_side, value_range=self.augment.value_range)

    def decoded(self) -> list[Picture]:
        """The pictures, as the loader would keep them."""
        side = self.augment.min_side
        return [self.decode(self.read(path), side) for path in self.samples]

    def plain_batch(self) -> Batch:
        """One batch to use again and again."""
        size = self.augment.size
        few = [self.decode(self.read(path), size) for path in self.samples[: self.batch_size]]
        images = Preprocess(size).batch(few)
        images = np.resize(images, (self.batch_size, *images.shape[1:]))
        return Batch(images, np.zeros(len(images), np.int64), np.arange(len(images)))


def some(samples: Sequence[Path], count: int) -> tuple[Path, ...]:
    """`count` samples at random, the same ones each time."""
    if len(samples) <= count:
        return tuple(samples)
    chosen = np.random.default_rng(SEED).choice(len(samples), count, replace=False)
    return tuple(samples[i] for i in sorted(chosen))
