"""darter's own engine behind the interface that a Session needs."""

from collections import OrderedDict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from darter.errors import UnsupportedError
from darter.locks import Lock
from darter.model.signature import Signature
from darter.net import (
    Graph,
    ModelFile,
    Options,
    Programs,
    StepReport,
    build,
    pictures_axes,
    refusals,
)

USUAL_SIZE = 224
Sides = tuple[int, int]  # height, width
MOST_SIZES = 2  # of pictures, whose plans are kept for a file that takes any size


class DarterRuntime:
    """Builds the graph when it is made, and a plan at the first run with so many pictures.

    outputs: what is wanted of the graph; the rest is left out of it.
    precision: see `Options`; tensors between layers are in 16 bits only where the CPU has them.
    size: height and width of the pictures to expect, for a file that takes any; others work too.
    Raises UnsupportedError that lists every node that cannot run.
    """

    name = "darter"

    def __init__(
        self,
        model: ModelFile,
        signature: Signature,
        outputs: tuple[str, ...],
        threads: int,
        precision: str = "float32",
        size: tuple[int, int] | None = None,
    ) -> None:
        self._model, self._signature, self.outputs = model, signature, outputs
        self._options = Options(threads, precision)
        self.precision = precision
        self._kept: OrderedDict[Sides, Programs] = OrderedDict()
        self._lock = Lock()
        sides = signature.sides(size, USUAL_SIZE)
        graph = self._build(sides)
        refused = refusals(graph)
        if refused:
            raise UnsupportedError(f"{model.path}: cannot run {'; '.join(refused)}")
        self.batch = graph.inputs[signature.input][0]
        self.axes = pictures_axes(graph)
        self._built = {sides: graph}  # for the first plan; its weights are gone after that

    def run(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for x, (N, C, H, W) or (N, H, W, C) as the file has it."""
        height, width = x.shape[2:] if self._signature.layout == "NCHW" else x.shape[1:3]
        results = self._programs((height, width)).run(x)
        return [results] if isinstance(results, np.ndarray) else results

    def report(self, size: Sides, batch: int) -> list[StepReport]:
        """What each step of the plan takes, measured."""
        return self._programs(size).program(batch).report()

    def _graph(self, size: Sides) -> Graph:
        return self._built.pop(size, None) or self._build(size)

    def _build(self, size: Sides) -> Graph:
        given = self._signature
        picture = given.picture(*size)
        return build(self._model, given.input, picture, self.outputs, written=given.batch)

    def _programs(self, size: Sides) -> Programs:
        with self._lock:
            if size not in self._kept:
                self._kept[size] = Programs(
                    partial(self._graph, size),
                    release=self._model.release,
                    threads=self._options.threads,
                    precision=self._options.precision,
                )
            self._kept.move_to_end(size)
            while len(self._kept) > MOST_SIZES:
                self._kept.popitem(last=False)
            return self._kept[size]
