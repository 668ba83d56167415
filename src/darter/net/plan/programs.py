"""Plans for any number of pictures."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.kernels import available_cpus
from darter.locks import Lock
from darter.net.graph import Graph
from darter.net.plan.packed import Packed
from darter.net.plan.program import Program

MOST_KEPT = 4  # plans; a fifth batch size makes the one used longest ago be forgotten


def nothing() -> None:
    """Release no memory."""


class Programs:
    """Plans a net for each number of pictures that comes, and keeps the last few plans.

    make: gives the graph, again for every plan: its weights are let go one by one as they are
    packed, so that they are not held twice.   release: called meanwhile, to let go of the file's
    pages.   Other arguments as for `Program`. Safe to use from several threads.
    """

    def __init__(
        self,
        make: Callable[[], Graph],
        *,
        release: Callable[[], None] = nothing,
        threads: int | None = None,
        precision: str = "float32",
        tune: bool = False,
        memory_cap: int | None = None,
    ) -> None:
        self._make, self._release = make, release
        self.settings = {
            "threads": threads or available_cpus(),
            "precision": precision,
            "tune": tune,
            "memory_cap": memory_cap,
        }
        self._packed = Packed()
        self._kept: OrderedDict[int, Program] = OrderedDict()
        self._lock = Lock()

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """The net's outputs for x, (N, ...) for any N."""
        return self.program(len(x)).run(x)

    def program(self, batch: int) -> Program:
        """The plan for this many pictures, made now or kept from before."""
        with self._lock:
            if batch not in self._kept:
                self._kept[batch] = self._planned(batch)
            self._kept.move_to_end(batch)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[batch]

    def _planned(self, batch: int) -> Program:
        return Program(
            _owned(self._make()),
            batch,
            packed=self._packed,
            release=self._release,
            **self.settings,  # type: ignore[arg-type]
        )


def _owned(graph: Graph) -> Graph:
    """The same graph with a dict of weights of its own, which a program empties."""
    return replace(graph, weights=dict(graph.weights))
