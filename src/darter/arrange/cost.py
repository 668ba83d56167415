"""Milliseconds, weights and multiply-adds of a few layers, as the engine runs them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from darter.net import Graph, Node, Program

FEWEST, SECONDS = 8, 0.03  # runs, and for how long at least


@dataclass(frozen=True)
class Cost:
    """ms: of one run, the fastest of several.   multiply_adds: of one picture."""

    ms: float
    weights: int
    multiply_adds: int


class Stopwatch:
    """Times layers on the engine; layers of the same shapes are timed once.

    precision: that layers are timed in, one of `darter.net.PRECISIONS`.
    """

    def __init__(
        self, batch: int = 1, threads: int | None = None, precision: str = "float32"
    ) -> None:
        self.batch, self.threads, self.precision = batch, threads, precision
        self._known: dict[Any, float] = {}
        ruler = _graph([nn.Conv2d(64, 64, 3, padding=1)], (64, 28, 28))
        self._by_ruler = self.beside(ruler, SECONDS / 2)

    def cost(self, layer: nn.Module, shape: Sequence[int]) -> Cost:
        """layer: nn.Conv2d, nn.Linear or a sequence of them.   shape: of one picture's input."""
        parts = layers_of(layer)
        weights = sum(p.numel() for part in parts for p in part.parameters())
        graph = _graph(parts, tuple(shape))
        key = (tuple(shape), tuple(_key(part) for part in parts))
        if key not in self._known:
            self._known[key] = self.ms(graph)
        return Cost(self._known[key], weights, _multiply_adds(parts, tuple(shape)))

    def ms(self, graph: Graph) -> float:
        """The fastest of several runs of a graph, as it would be while the machine is as busy as it
        was at the first call: each is timed in turns with the same small layer."""
        return self._by_ruler(graph)

    def beside(self, reference: Graph, seconds: float = SECONDS) -> "Beside":
        """A function that times graphs in turns with the reference, in milliseconds of when that
        was first timed: what else the machine does changes from one call to the next."""
        return Beside(self, reference, seconds)

    def in_turns(
        self,
        *graphs: Graph,
        seconds: float = SECONDS,
        precisions: Sequence[str] | None = None,
    ) -> list[float]:
        """The fastest run of each, in milliseconds; in turns, so that what else the machine does
        slows all of them alike. seconds: of each, at least.   precisions: of each graph, by
        default the watch's own."""
        precisions = precisions or [self.precision] * len(graphs)
        programs = [
            Program(graph, self.batch, threads=self.threads, precision=precision)
            for graph, precision in zip(graphs, precisions, strict=True)
        ]
        rng = np.random.default_rng(0)
        inputs = [[rng.standard_normal(shape, np.float32) for shape in program.inputs.values()]
                  for program in programs]  # fmt: skip
        for program, given in zip(programs, inputs, strict=True):
            program.run(*given)
        times: list[list[float]] = [[] for _ in programs]
        while len(times[0]) < FEWEST or min(map(sum, times)) < seconds:
            for program, given, taken in zip(programs, inputs, times, strict=True):
                started = time.perf_counter()
                program.run(*given)
                taken.append(time.perf_counter() - started)
        return [1e3 * min(taken) for taken in times]


class Beside:
    """Times graphs in turns with a reference. Made by `Stopwatch.beside`."""

    def __init__(self, watch: Stopwatch, reference: Graph, seconds: float) -> None:
        self._watch, self._reference, self._seconds = watch, reference, seconds
        self._first: float | None = None

    def __call__(
        self, graph: Graph, precision: str | None = None, seconds: float | None = None
    ) -> float:
        """Milliseconds of the graph, in that precision; the reference runs in the watch's own.
        seconds: of each, at least, if not the usual."""
        own = self._watch.precision
        now, found = self._watch.in_turns(
            self._reference,
            graph,
            seconds=seconds or self._seconds,
            precisions=(own, precision or own),
        )
        self._first = self._first or now
        return found * self._first / now


def layers_of(layer: nn.Module) -> list[Any]:
    """The convolutions and fully connected layers in it, in their order."""
    return [part for part in layer.modules() if isinstance(part, nn.Conv2d | nn.Linear)]


def _key(part: Any) -> Any:
    if isinstance(part, nn.Linear):
        return tuple(part.weight.shape)
    return (tuple(part.weight.shape), part.stride, part.padding, part.dilation, part.groups)


def _graph(parts: list[Any], shape: tuple[int, ...]) -> Graph:
    nodes, weights, x = [], {}, "x"
    for number, part in enumerate(parts):
        linear = isinstance(part, nn.Linear)
        weights[f"w{number}"] = part.weight.detach().numpy()
        weights[f"b{number}"] = np.zeros(len(part.weight), np.float32)
        settings: dict[str, Any] = {}
        if not linear:
            pads = (part.padding[0], part.padding[1])
            settings = {
                "strides": tuple(part.stride),
                "pads": pads * 2,
                "dilations": tuple(part.dilation),
                "group": part.groups,
            }
        inputs = (x, f"w{number}", f"b{number}")
        x = f"y{number}"
        nodes.append(Node("Gemm" if linear else "Conv", x, inputs, (x,), settings))
    return Graph(tuple(nodes), {"x": (None, *shape)}, (x,), weights)


def _multiply_adds(parts: list[Any], shape: tuple[int, ...]) -> int:
    total = 0
    for part in parts:
        if isinstance(part, nn.Linear):
            total += part.weight.numel() * int(np.prod(shape[:-1], dtype=int))
            shape = (*shape[:-1], part.out_features)
            continue
        sides = tuple(
            (n + 2 * int(p) - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                shape[1:], part.padding, part.dilation, part.kernel_size, part.stride, strict=True
            )
        )
        total += part.weight.numel() * sides[0] * sides[1]
        shape = (part.out_channels, *sides)
    return total
