"""Averages of the weights of a training: less noisy than any single step's."""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Average:
    """Exponential moving average of named tensors, updated once per step.

    The decay grows with the number of updates, min(decay, (1 + t) / (10 + t)), so that a short run
    forgets where it started. Integer tensors (counts) are copied.
    """

    def __init__(self, live: Mapping[str, Tensor], decay: float) -> None:
        self._live = live
        self._decay = decay
        self.updates = 0
        self.values = {name: _wide(value) for name, value in live.items()}

    @torch.no_grad()
    def update(self, counts: bool = True, taken: Container[str] = ()) -> None:
        """Take in the live values. Until the first step that counts, the average is these.

        taken: names of those that hold them already, by `next_share`.
        """
        if not counts and not self.updates:
            copy_into(self.values, self._live)
            return
        self.updates += counts
        for name, value in self._live.items():
            if not value.is_floating_point():
                self.values[name].copy_(value)
            elif counts and name not in taken:
                share = self._share(self.updates)
                self.values[name].lerp_(value.to(self.values[name].dtype), share)

    def next_share(self) -> float:
        """Of the live values in the average, at the next update that counts."""
        return self._share(self.updates + 1)

    def by_address(self) -> dict[int, tuple[str, Tensor]]:
        """Where the live values lie, with their names and averages."""
        return {
            live.data_ptr(): (name, self.values[name])
            for name, live in self._live.items()
            if live.is_floating_point()
        }

    def _share(self, updates: int) -> float:
        return 1 - min(self._decay, (1 + updates) / (10 + updates))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block, the live tensors hold the averages."""
        own = {name: value.detach().clone() for name, value in self._live.items()}
        copy_into(self._live, self.values)
        try:
            yield
        finally:
            copy_into(self._live, own)


class EqualAverage(Average):
    """Stochastic weight averaging: every step that counts counts alike.

    Batch norms' statistics do not fit averaged weights: see `recompute_statistics`.
    Source: Izmailov et al., arXiv:1803.05407.
    """

    def __init__(self, live: Mapping[str, Tensor]) -> None:
        super().__init__(live, 0.0)

    def _share(self, updates: int) -> float:
        return 1 / updates


def _wide(value: Tensor) -> Tensor:
    """A copy in which small changes add up, also where the tensor itself is bfloat16."""
    return value.detach().clone().float() if value.is_floating_point() else value.detach().clone()


@torch.no_grad()
def copy_into(live: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Overwrite the live tensors, in place, by the values of the same names."""
    for name, value in live.items():
        value.copy_(values[name])
