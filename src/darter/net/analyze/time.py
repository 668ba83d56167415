"""How long each layer takes on this machine."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

from darter.net.graph import Graph
from darter.net.plan import Options, Program


@dataclass(frozen=True)
class Times:
    """name of a layer -> milliseconds and algorithm; whole: milliseconds of one run of the net."""

    ms: Mapping[str, float]
    algorithms: Mapping[str, str]
    whole: float


def measured(graph: Graph, batch: int, options: Options, runs: int) -> Times:
    """The median of some runs, of each step and of the whole net."""
    program = Program(graph, batch, threads=options.threads, precision=options.precision)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape, np.float32) for shape in program.inputs.values()]
    program.run(*inputs)
    whole = []
    for _ in range(runs):
        started = time.perf_counter()
        program.run(*inputs)
        whole.append(time.perf_counter() - started)
    ms: dict[str, float] = {}
    algorithms: dict[str, str] = {}
    for step in program.report(runs):
        ms[step.name] = ms.get(step.name, 0.0) + step.ms
        if step.algorithm and step.multiply_adds:
            algorithms[step.name] = step.algorithm
        else:
            algorithms.setdefault(step.name, step.algorithm)
    return Times(ms, algorithms, 1e3 * median(whole))
