"""A net while it is changed, as the engine will run its file: how long, and what it answers."""

import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.arrange import Beside, Stopwatch, to_file
from darter.locks import cached_property
from darter.model import graph_of
from darter.net import Graph, Programs

TIMED = 0.3  # seconds of each measurement of a whole net
DECIDES = 2.0  # of the net as it was trained: whether its bits are enough depends on a few per cent
BATCH = 16  # as `darter.model.evaluate_samples` runs pictures


class Engine:
    """Times and runs nets beside one of them, the net as it was trained.

    size: side of its pictures.   threads: None for every CPU that this process may use.
    """

    def __init__(self, trained: nn.Module, size: int, threads: int | None) -> None:
        self._trained, self._size, self._threads = trained, size, threads
        self._watches: dict[str, Stopwatch] = {}
        self._times: dict[tuple[int, str], float] = {}  # of the net as it was trained
        self._last: tuple[weakref.ref[nn.Module], int, Graph] | None = None

    def watch(self, precision: str) -> Stopwatch:
        """What times single layers in that precision."""
        if precision not in self._watches:
            self._watches[precision] = Stopwatch(threads=self._threads, precision=precision)
        return self._watches[precision]

    def ms(self, net: nn.Module, size: int, precision: str) -> float:
        """Of one picture: the fastest of runs in turns with the net as it was trained in float32,
        since a machine that does other things is slow at one time and fast at another."""
        key = size, precision
        if net is self._trained and key in self._times:
            return self._times[key]
        seconds = DECIDES if net is self._trained and size == self._size else TIMED
        found = self._beside(self._graph(net, size), precision, seconds)
        if net is self._trained:
            self._times[key] = found
        return found

    def logits(self, net: nn.Module, pictures: Tensor, precision: str) -> NDArray[np.float32]:
        """Answers to prepared pictures (N, 3, size, size), in that precision: (N, classes)."""
        answers = self.opened(net, pictures.shape[-1], precision)
        return np.concatenate([answers(part.float()).numpy() for part in pictures.split(BATCH)])

    def opened(self, net: nn.Module, size: int, precision: str) -> Callable[[Tensor], Tensor]:
        """What answers batches of pictures, float32 (N, 3, size, size): logits (N, classes)."""
        graph = self._graph(net, size)
        programs = Programs(lambda: graph, threads=self._threads, precision=precision)
        return lambda x: torch.from_numpy(np.asarray(programs.run(x.numpy())))

    @cached_property
    def _beside(self) -> Beside:
        graph = self._graph(self._trained, self._size)
        return self.watch("float32").beside(graph, TIMED)

    def _graph(self, net: nn.Module, size: int) -> Graph:
        """As the engine runs its file; kept while the same net is asked about."""
        if self._last is not None:
            last, its_size, graph = self._last
            if last() is net and its_size == size:
                return graph
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.onnx"
            to_file(net, size, file)
            graph = graph_of(file, size=size, improved=True)
        self._last = weakref.ref(net), size, graph
        return graph
