"""Plans for any number of pictures."""

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from darter.engine.graph import Graph
from darter.engine.plan.packed import Packed
from darter.engine.plan.program import Program
from darter.kernels import available_cpus

MOST_KEPT = 4  # plans; a fifth batch size makes the one used longest ago be forgotten


class Programs:
    """Plans a net for each number of pictures that comes, and keeps the last few plans.

    Arguments as for `Program`. Safe to use from several threads.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        threads: int | None = None,
        precision: str = "float32",
        tune: bool = False,
        memory_cap: int | None = None,
    ) -> None:
        self.graph = graph
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
                self._kept[batch] = Program(
                    self.graph,
                    batch,
                    packed=self._packed,
                    **self.settings,  # type: ignore[arg-type]
                )
            self._kept.move_to_end(batch)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[batch]
