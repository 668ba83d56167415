"""How long each layer takes on this machine."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from darter.net.graph import Graph
from darter.net.plan import Options, Program

ENOUGH, MOST = 0.5, 200  # seconds of running, and runs, that short nets are timed for


@dataclass(frozen=True)
class Times:
    """name of a layer -> milliseconds and algorithm; whole: the sum of all steps, those that
    belong to no layer too.   runs: that each step was timed in; its fastest counts."""

    ms: Mapping[str, float]
    algorithms: Mapping[str, str]
    whole: float
    runs: int


def measured(graph: Graph, batch: int, options: Options, runs: int) -> Times:
    """Each step's fastest of `runs` runs, or of more where the net takes little time.

    A busy machine slows one step of nearly every run, and another one each time.
    """
    program = Program(graph, batch, threads=options.threads, precision=options.precision)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape, np.float32) for shape in program.inputs.values()]
    program.run(*inputs)
    started = time.perf_counter()
    program.run(*inputs)
    runs = max(runs, min(MOST, int(ENOUGH / (time.perf_counter() - started))))
    steps = program.report(runs, fastest=True)
    ms: dict[str, float] = {}
    algorithms: dict[str, str] = {}
    for step in steps:
        ms[step.name] = ms.get(step.name, 0.0) + step.ms
        if step.algorithm and step.multiply_adds:
            algorithms[step.name] = step.algorithm
        else:
            algorithms.setdefault(step.name, step.algorithm)
    return Times(ms, algorithms, sum(step.ms for step in steps), runs)
