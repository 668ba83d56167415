"""darter's own engine behind the interface that a Session needs."""

from collections import OrderedDict
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.model.signature import Signature
from darter.net import Graph, ModelFile, Options, Programs, StepReport, build, refusals

USUAL_SIZE = 224
MOST_SIZES = 2  # of pictures, whose plans are kept for a file that takes any size


class DarterRuntime:
    """Builds the graph when it is made, and a plan at the first run with so many pictures.

    size: of the pictures to expect, for a file that takes any; others work as well.
    Raises UnsupportedError that lists every node that cannot run.
    """

    name = "darter"

    def __init__(
        self,
        model: ModelFile,
        signature: Signature,
        threads: int,
        precision: str = "float32",
        size: int | None = None,
    ) -> None:
        self._model, self._signature = model, signature
        options = Options(threads, precision)
        self._settings = {"threads": options.threads, "precision": options.precision}
        self._kept: OrderedDict[int, Programs] = OrderedDict()
        self._lock = Lock()
        side = signature.size or size or USUAL_SIZE
        graph = self._build(side)
        refused = refusals(graph)
        if refused:
            raise UnsupportedError(f"{model.path}: cannot run {'; '.join(refused)}")
        self.batch = graph.inputs[signature.input][0]
        self._built = {side: graph}  # for the first plan; its weights are gone after that

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores for x, (N, 3, size, size) or (N, size, size, 3) as the file has it."""
        height, width = x.shape[2:] if self._signature.layout == "NCHW" else x.shape[1:3]
        if height != width:
            raise ModelFileError(f"{self._model.path}: pictures must be square, got {x.shape}")
        scores = self._programs(height).run(x)
        assert isinstance(scores, np.ndarray)
        return scores

    def report(self, size: int, batch: int) -> list[StepReport]:
        """What each step of the plan takes, measured."""
        return self._programs(size).program(batch).report()

    def _graph(self, size: int) -> Graph:
        return self._built.pop(size, None) or self._build(size)

    def _build(self, size: int) -> Graph:
        given = self._signature
        picture = (3, size, size) if given.layout == "NCHW" else (size, size, 3)
        return build(self._model, given.input, picture, (given.output,), written=given.batch)

    def _programs(self, size: int) -> Programs:
        with self._lock:
            if size not in self._kept:
                self._kept[size] = Programs(
                    partial(self._graph, size),
                    release=self._model.release,
                    **self._settings,  # type: ignore[arg-type]
                )
            self._kept.move_to_end(size)
            while len(self._kept) > MOST_SIZES:
                self._kept.popitem(last=False)
            return self._kept[size]
