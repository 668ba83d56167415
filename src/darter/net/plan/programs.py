"""Plans for any number of pictures."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from darter.locks import Lock
from darter.machine import available_cpus
from darter.net.collector import collector_at_rest
from darter.net.graph import Graph
from darter.net.plan.packed import Packed
from darter.net.plan.program import Program
from darter.net.plan.weights import Weights

MOST_KEPT = 4  # plans; a fifth batch size makes the one used longest ago be forgotten


def nothing() -> None:
    """Release no memory."""


class Programs:
    """Plans a net for each number of pictures that comes, and keeps the last few plans.

    The graph is kept without its large weights. Algorithms are chosen, and weights packed, once
    for a single picture and once for several; another number of pictures then takes milliseconds.

    make: gives the graph, the same each time; again where weights are to be packed anew.
    release: called after weights have been packed, to let go of the file's pages.
    Other arguments as for `Program`. Safe to use from several threads: while one plans, the others
    run what is planned.
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
        self._make = make
        self._plan = partial(
            Program,
            threads=threads or available_cpus(),
            precision=precision,
            tune=tune,
            memory_cap=memory_cap,
            packed=Packed(),
            release=release,
        )
        self._graph: Graph | None = None
        self._kept: OrderedDict[int, Program] = OrderedDict()
        self._keeping, self._planning = Lock(), Lock()

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """The net's outputs for x, (N, ...) for any N."""
        return self.program(len(x)).run(x)

    def program(self, batch: int) -> Program:
        """The plan for this many pictures, made now or kept from before."""
        found = self._known(batch)
        if found is not None:
            return found
        with self._planning:
            found = self._known(batch)  # another thread may have planned it meanwhile
            if found is None:
                found = self._planned(batch)
                self._keep(batch, found)
            return found

    def _known(self, batch: int) -> Program | None:
        with self._keeping:
            if batch in self._kept:
                self._kept.move_to_end(batch)
            return self._kept.get(batch)

    def _keep(self, batch: int, program: Program) -> None:
        with self._keeping:
            self._kept[batch] = program
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def _planned(self, batch: int) -> Program:
        if self._graph is None:
            graph = self._make()
            weights = Weights(graph.weights, lambda: self._make().weights)
            self._graph = replace(graph, weights=weights)
        assert isinstance(self._graph.weights, Weights)
        with collector_at_rest():
            program = self._plan(self._graph, batch)
        self._graph.weights.drop_all()  # also what nodes had packed before
        return program
