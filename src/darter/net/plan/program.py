"""A net planned for one number of pictures, ready to run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ShapeError, UnsupportedError
from darter.kernels import steps, using_at_most
from darter.machine import available_cpus
from darter.net.budget import enough_memory
from darter.net.graph import Graph
from darter.net.plan.assemble import arena_bytes, assemble, emitted
from darter.net.plan.builder import Step
from darter.net.plan.emit import EMIT
from darter.net.plan.limits import check_weights, packed_bytes
from darter.net.plan.options import Options
from darter.net.plan.packed import Packed
from darter.net.plan.storage import Dims, Value


@dataclass(frozen=True)
class StepReport:
    """One step of a plan.

    multiply_adds: of the direct algorithm.   ms: as `report` says.   bytes: of tensors read and
    written, and weights.
    """

    op: str
    name: str
    shape: Dims
    algorithm: str
    multiply_adds: int
    ms: float
    bytes: int

    @property
    def gflops(self) -> float:
        """Per second; one multiply-add is 2 FLOPs."""
        return 2e-6 * self.multiply_adds / self.ms if self.ms else 0.0

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape))
        speed = f"{self.gflops:7.0f}" if self.gflops else "      –"
        return (
            f"{self.op:18} {shape:18} {self.algorithm:20} {self.ms:8.3f} ms {speed} GFLOP/s "
            f"{self.bytes / 1e6:8.2f} MB  {self.name}"
        )


class Program:
    """A plan and its memory; `run` may be called from several threads at once.

        Program(graph, 8).run(x)

    graph: after the passes.   batch: pictures per run.   threads: by default every CPU that this
    process may use.   precision: "float32" or "bfloat16" (see `Options`).   packed: weights that
    programs of other batch sizes share.   release: where given, the graph's weights, `Weights`,
    are dropped once they are packed, and this is called to let go of the memory behind them.
    Runs are equal to the bit. Raises UnsupportedError that lists every node that cannot run.
    """

    def __init__(
        self,
        graph: Graph,
        batch: int,
        *,
        threads: int | None = None,
        precision: str = "float32",
        tune: bool = False,
        memory_cap: int | None = None,
        packed: Packed | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self.options = Options(threads or available_cpus(), precision, tune, memory_cap)
        packed = packed or Packed()
        with using_at_most(self.options.threads), enough_memory("the plan of this net"):
            check_operations(graph)
            if packed.is_empty:
                check_weights(graph, batch, self.options)
            if memory_cap is not None:
                self.options = _within_cap(graph, batch, self.options)
            build = emitted(graph, batch, self.options, packed, release)
            self._core = assemble(build)
        self.inputs = {name: build.shapes[name] for name in graph.inputs}
        self.outputs = tuple((name, build.shapes[name]) for name in graph.outputs)
        self._build = build

    def run(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """The outputs for these inputs, float32 in the graph's shapes; the output if there is one.

        Raises ShapeError if an input has another shape than the plan.
        """
        arrays = [np.asarray(x, np.float32, order="C") for x in inputs]
        given = [array.shape for array in arrays]
        if given != [*self.inputs.values()]:
            raise ShapeError(f"the plan is for {[*self.inputs.values()]}, got {given}")
        with enough_memory(f"{given} through this net"):
            results = self._results()
            self._core.run(arrays, results, self.options.threads, False)
        return results[0] if len(results) == 1 else results

    def report(self, runs: int = 10, *, fastest: bool = False) -> list[StepReport]:
        """Time every step on random pictures: the median of each, or its fastest.

        Steps of a part that runs picture by picture are timed on one; they share the part's time.
        """
        build, threads = self._build, self.options.threads
        times = _timed(self._core, self.inputs, self._results(), threads, runs, fastest)
        reports = [_reported(step, s) for step, s in zip(build.steps, times, strict=True)]
        if build.inner is None:
            return reports
        inner, core = build.inner
        outputs = [np.empty(v.storage.bytes // len_of(v), np.uint8) for v in build.steps[0].writes]
        shapes = {name: (1, *shape[1:]) for name, shape in self.inputs.items()}
        alone = _timed(core, shapes, outputs, inner.options.threads, runs, fastest)
        share = times[0] / sum(alone)
        first = [_reported(step, s * share) for step, s in zip(inner.steps, alone, strict=True)]
        batch = len_of(build.steps[0].writes[0])
        return [*(replace(r, multiply_adds=batch * r.multiply_adds) for r in first), *reports[1:]]

    @property
    def arena_bytes(self) -> int:
        if self._build.inner is None:
            return self._core.arena_bytes
        inner, core = self._build.inner
        at_once = self.options.threads // inner.options.threads
        return self._core.arena_bytes + at_once * core.arena_bytes

    @property
    def weight_bytes(self) -> int:
        """Of packed weights; those of programs that share them count in each."""
        return self._core.weight_bytes

    def _results(self) -> list[NDArray[np.float32]]:
        return [np.empty(shape, np.float32) for _, shape in self.outputs]


def _within_cap(graph: Graph, batch: int, options: Options) -> Options:
    """The options, lean where the fastest algorithms would need more than the cap, about."""
    lean = replace(options, lean=True)
    arena = arena_bytes(emitted(graph, batch, lean, Packed()))
    fast = packed_bytes(graph, batch, options)
    return options if 1.05 * fast + arena <= (options.memory_cap or 0) else lean


def check_operations(graph: Graph) -> None:
    """Raise UnsupportedError, which lists every node that no step computes."""
    refused = refusals(graph)
    if refused:
        raise UnsupportedError("cannot run: " + "; ".join(refused))


def refusals(graph: Graph) -> list[str]:
    """One sentence per node that no step computes."""
    return [f"{node}: no step for this operation" for node in graph.nodes if node.op not in EMIT]


def len_of(value: Value) -> int:
    """Pictures of a value."""
    return value.shape[0]


def _timed(
    core: steps.Program,
    shapes: Mapping[str, Dims],
    results: list[Any],
    threads: int,
    runs: int,
    fastest: bool,
) -> list[float]:
    """Seconds of every step: the median of each, or its fastest."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape, np.float32) for shape in shapes.values()]
    times = [core.run(arrays, results, threads, True) for _ in range(runs + 1)][1:]
    chosen = min if fastest else median
    return [chosen(step) for step in zip(*times, strict=True)]


def _reported(step: Step, seconds: float) -> StepReport:
    tensors = sum(v.layout.bytes(v.shape) for v in (*step.reads, *step.writes))
    return StepReport(
        step.op,
        step.name,
        step.writes[0].shape,
        step.algorithm,
        step.multiply_adds,
        1e3 * seconds,
        tensors + step.core.weight_bytes,
    )
