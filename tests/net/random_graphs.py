"""Small random graphs of every operation, on pictures, tokens and channels-last tensors alike.

    python -m tests.net.random_graphs 20000          # compare so many with the reference
    python -m tests.net.random_graphs 1 --first 417  # show graph 417

A graph is a function of its number alone. Each is run as it is and after the passes, for one or
more pictures, on one to four threads, by one of the instruction sets of this machine.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from darter.kernels import available_isas, using_isa
from darter.net import Graph, Program
from darter.net.passes import improve
from tests.net.random_nodes import CHANNELS, Draft
from tests.references.net import run_graph

# What one operation may err, relative to the largest value that it gives: Winograd's transforms and
# rational approximations of exp and erf come to about 16 roundings of float32.
ONE_OPERATION = 16 * 2.0**-23
LEAST = 0.05  # where all values are smaller: far out, Gelu and the like keep absolute digits
DISTURBED = 3  # runs that show how a graph amplifies such errors


@dataclass(frozen=True)
class Case:
    """graph: of `OPS`.   batch, threads, isa: how it is run."""

    graph: Graph
    batch: int
    threads: int
    isa: str


def random_case(number: int) -> Case:
    """The case of that number, always the same one on a machine of the same instruction sets."""
    rng = np.random.default_rng([7, number])
    side, channels = rng.integers(1, 9, 2).tolist(), int(rng.choice(CHANNELS))
    shapes = [(channels, *side)] * 3 + [(*side, channels), (side[0], channels), (channels,)]
    draft = Draft(rng, shapes[int(rng.integers(len(shapes)))])
    wanted = int(rng.integers(1, 9))
    while len(draft.nodes) < wanted:
        draft.grow()
    draft.add_binary(np.random.default_rng([9, number]))
    isas = available_isas()
    batch, threads = int(rng.choice([1, 1, 2, 3, 5])), int(rng.integers(1, 5))
    return Case(draft.graph(), batch, threads, isas[int(rng.integers(len(isas)))])


def difference(case: Case, number: int) -> float:
    """The largest error of plan and passes, as a multiple of what is allowed; above 1 is a fault.

    Allowed is three times what the outputs change where every tensor is disturbed at random by
    what one operation may err.
    """
    rng = np.random.default_rng([8, number])
    (shape,) = case.graph.inputs.values()
    x = rng.standard_normal((case.batch, *shape[1:])).astype(np.float32)
    truth = run_graph(case.graph, x)
    allowed = _allowed(case.graph, x, truth, rng)
    worst = 0.0
    for graph in (case.graph, improve(case.graph)):
        with using_isa(case.isa):
            program = Program(graph, case.batch, threads=case.threads)
            program._core.poison()
            found = program.run(x)
        results = found if isinstance(found, list) else [found]
        for ours, exact, most in zip(results, truth, allowed, strict=True):
            if ours.shape != exact.shape or not np.isfinite(ours[np.isfinite(exact)]).all():
                return float("inf")
            worst = max(worst, _largest(ours - exact) / most)
    return worst


def _allowed(graph: Graph, x, truth: list[np.ndarray], rng: np.random.Generator) -> list[float]:
    """For each output, the largest error that need not be a fault."""

    def disturb(value: np.ndarray) -> np.ndarray:
        size = max(LEAST, _largest(value))
        return value + ONE_OPERATION * size * rng.uniform(-1, 1, value.shape)

    most = [ONE_OPERATION * max(LEAST, _largest(exact)) for exact in truth]
    for _ in range(DISTURBED):
        for k, other in enumerate(run_graph(graph, x, disturb=disturb)):
            most[k] = max(most[k], 3 * _largest(other - truth[k]))
    return most


def _largest(values: np.ndarray) -> float:
    """Without what is pooled of no pixel at all, which has no value."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def show(case: Case) -> str:
    """The graph in a few lines."""
    lines = [f"batch {case.batch}, {case.threads} threads, {case.isa}, inputs {case.graph.inputs}"]
    for each in case.graph.nodes:
        given = {k: v for k, v in each.attributes.items() if v is not None}
        lines.append(f"  {each.op} {', '.join(each.inputs)} -> {', '.join(each.outputs)} {given}")
    return "\n".join([*lines, f"  gives {', '.join(case.graph.outputs)}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    faults = 0
    for number in range(options.first, options.first + options.count):
        case = random_case(number)
        if options.count == 1:
            print(show(case))
        try:
            error = difference(case, number)
        except Exception as failure:
            error = float("inf")
            print(f"{number}: {type(failure).__name__}: {failure}")
        if error > 1:
            faults += 1
            print(
                f"graph {number} errs {error:.3g} times what is allowed\n{show(case)}", flush=True
            )
    print(f"{options.count} graphs, {faults} faults")
    raise SystemExit(faults > 0)


if __name__ == "__main__":
    main()
