"""`darter bench nets`: whole nets by darter and other runtimes, taking turns."""

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean

from darter.bench import (
    NETS,
    PEERS,
    PICTURES,
    SLOW,
    Case,
    Comparison,
    append_records,
    batches_of,
    compare,
    given_net,
    quantized_net,
    random_net,
)
from darter.errors import OptionError
from darter.kernels import measure_peak, set_threads
from darter.model import read_signature
from darter.names import visible
from darter.net import read_model
from darter.report import table

COLUMNS = {
    "runtime": "runtime",
    "min_ms": "min ms",
    "ms": "median ms",
    "max_ms": "max ms",
    "of_darter": "of darter's",
    "memory": "MB",
    "load_s": "to load, s",
    "error": "difference",
}


@dataclass(frozen=True)
class Plan:
    """What to compare. nets: names of NETS or model files; all of NETS if empty.

    python: of the peers, or None for this one.   folder: of the exported nets, or None.
    """

    nets: tuple[str, ...]
    batches: list[int]
    precision: str
    threads: int
    runtimes: tuple[str, ...]
    python: Path | None
    rounds: int
    seconds: float
    folder: Path | None

    @property
    def peers(self) -> tuple[str, ...]:
        known = PEERS[self.precision]
        for name in self.runtimes:
            if name not in known:
                choices = ", ".join(known)
                raise OptionError(f"no runtime {name!r} in {self.precision}; choose from {choices}")
        return self.runtimes or tuple(name for name in known if name not in SLOW)

    def check(self) -> None:
        """Raise what can be known to be wrong before anything is measured."""
        for name in self.nets:
            if name.endswith(".onnx"):
                read_signature(read_model(name))
            elif name not in NETS:
                choices = ", ".join(NETS)
                raise OptionError(f"unknown net {name!r}; choose from {choices}, or a model file")

    @property
    def interpreter(self) -> str:
        if self.python is not None and not self.python.is_file():
            raise OptionError(f"--peers takes a Python interpreter; there is no {self.python}")
        return str(self.python or sys.executable)


def whole_nets(plan: Plan, *, out: Path | None, plot: Path | None) -> None:
    peers, python = plan.peers, plan.interpreter
    plan.check()
    set_threads(plan.threads)
    peak = measure_peak()
    print(f"{plan.threads} threads, {peak.isa}: peak {peak.gflops:.0f} GFLOP/s; {plan.precision}")
    speedups: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = plan.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in plan.nets or NETS:
            given = name.endswith(".onnx")
            batches = batches_of(Path(name), plan.batches) if given else plan.batches
            if batches != plan.batches:
                print(f"{name} insists on {batches[0]} pictures at a time")
            pictures = max(PICTURES, *batches)
            file = (given_net(Path(name), folder, pictures) if given
                    else random_net(name, folder, pictures))  # fmt: skip
            if plan.precision == "int8":
                file = quantized_net(file, folder)
            names = tuple(peer for peer in peers if not given or peer not in ("eager", "inductor"))
            for batch in batches:
                case = Case(file, batch, plan.precision, plan.threads)
                found = compare(
                    case, names, python=python, rounds=plan.rounds, seconds=plan.seconds
                )
                show(found)
                if found.speedup is not None:
                    speedups[case.net, batch] = found.speedup
                if out is not None:
                    append_records(out, peak, found.records())
    if speedups:
        values = list(speedups.values())
        print(
            f"The best peer's time over darter's: geometric mean {geometric_mean(values):.2f}, "
            f"least {min(values):.2f}, of {len(values)}."
        )
    if plot is not None and speedups:
        from darter.bench import plot_speedups

        plot_speedups(speedups, plot)
        print(f"Drawn: {visible(plot)}")


def show(found: Comparison) -> None:
    """One table per case, so that a long run can be watched."""
    ours = found.ours
    rows = [
        {**asdict(row), "memory": row.memory, "of_darter": row.ms / ours.ms} for row in found.rows
    ]
    pictures = "1 picture" if ours.batch == 1 else f"{ours.batch} pictures"
    print(table(rows, columns=COLUMNS, title=f"{ours.net}, {pictures}"))
    for name, why in found.left_out.items():
        print(f"{name} is left out: {visible(why)}")
    sys.stdout.flush()
