"""`darter bench --training`: training steps of whole nets, darter's beside PyTorch's."""

import sys
from dataclasses import asdict
from pathlib import Path
from statistics import geometric_mean

from darter.bench import (
    TRAINED,
    TRAINERS,
    TrainingComparison,
    append_records,
    check_trained,
    compare_training,
)
from darter.errors import OptionError
from darter.kernels import measure_peak, set_threads
from darter.names import visible
from darter.report import table

COLUMNS = {
    "runtime": "runtime",
    "forward_ms": "forward",
    "backward_ms": "backward",
    "optimizer_ms": "update",
    "ms": "step ms",
    "steps_per_second": "steps/s",
    "of_darter": "ratio",
    "memory": "MB",
    "load_s": "start s",
    "error": "error",
}


def training_steps(
    nets: tuple[str, ...], batches: list[int], runtimes: tuple[str, ...], *, precision: str,
    threads: int, rounds: int, out: Path | None, plot: Path | None,
) -> None:  # fmt: skip
    for name in runtimes:
        if name not in TRAINERS:
            choices = ", ".join(TRAINERS)
            raise OptionError(f"no runtime {name!r} trains here; choose from {choices}")
    check_trained(nets)
    set_threads(threads)
    peak = measure_peak()
    print(f"{threads} threads, {peak.isa}: peak {peak.gflops:.0f} GFLOP/s; {precision}")
    speedups: dict[tuple[str, int], float] = {}
    for name in nets or TRAINED:
        for batch in batches:
            found = compare_training(
                name, batch, runtimes or TRAINERS, precision=precision, threads=threads,
                rounds=rounds,
            )  # fmt: skip
            show(found)
            if found.speedup is not None:
                speedups[name, batch] = found.speedup
            if out is not None:
                append_records(out, peak, found.records())
    if speedups:
        values = list(speedups.values())
        print(
            f"The best peer's step over darter's: geometric mean {geometric_mean(values):.2f}, "
            f"least {min(values):.2f}, of {len(values)}."
        )
    if plot is not None and speedups:
        from darter.bench import plot_speedups

        plot_speedups(speedups, plot)
        print(f"Drawn: {visible(plot)}")


def show(found: TrainingComparison) -> None:
    """One table per net and batch, so that a long run can be watched."""
    ours = found.ours
    rows = [{**asdict(row), "of_darter": row.ms / ours.ms} for row in found.rows]
    print(table(rows, columns=COLUMNS, title=f"{ours.net}, training on {ours.batch} pictures"))
    for name, why in found.left_out.items():
        print(f"{name} is left out: {visible(why)}")
    sys.stdout.flush()
