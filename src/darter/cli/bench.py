"""`darter bench conv`: this machine's convolutions, per layer and algorithm, and beside PyTorch."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

LAYER_COLUMNS = {
    "layer": "layer",
    "times": "times",
    "algorithm": "algorithm",
    "low": "min ms",
    "middle": "median ms",
    "high": "max ms",
    "gflops": "GFLOP/s",
    "of_peak": "of peak",
    "limit": "limit of peak",
}
SEQUENCE_COLUMNS = {
    "batch": "N",
    "torch_ms": "PyTorch ms",
    "darter_ms": "darter ms",
    "torch_gflops": "PyTorch GFLOP/s",
    "darter_gflops": "darter GFLOP/s",
    "of_peak": "of peak",
    "speedup": "speedup",
}


def bench(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What to measure: conv.")] = "conv",
    net: Annotated[
        str, typer.Option(help="vgg-e, alexnet, resnet-50, googlenet or inception-v3.")
    ] = "vgg-e",
    layers: Annotated[
        bool, typer.Option("--layers", help="Time every algorithm on every layer of the net.")
    ] = False,
    batches: Annotated[
        str, typer.Option(help="Batch sizes of the comparison with PyTorch.")
    ] = "1,2,4,8,16,32,64",
    against: Annotated[
        str, typer.Option(help="Precision of PyTorch in the comparison: float32 or bfloat16.")
    ] = "float32",
    seconds: Annotated[float, typer.Option(help="About how long one row may take.")] = 5.0,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Error budget of darter's choice.",
            show_default="1e-5 against float32, 5e-3 against bfloat16",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads; with 1, CPU time is measured. All cores by default."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Append the rows to this file, one JSON line each.")
    ] = None,
) -> None:
    """Measure this machine: the lecture's Tables 5 and 6, or every algorithm on every layer."""
    from darter.conv import ConvSpec, benchmark
    from darter.errors import OptionError
    from darter.kernels import measure_peak, set_threads
    from darter.report import table

    if what != "conv":
        raise OptionError(f"cannot measure {what!r}; the choice is: conv")
    sizes = _numbers(batches)
    if threads is not None:
        if threads < 1:
            raise OptionError(f"--threads takes a number of at least 1, got {threads}")
        set_threads(threads)
    peaks = [measure_peak()]
    rows: list[dict[str, Any]]
    if layers:
        records = benchmark.time_layers(net, seconds=seconds)
        rows = [{**asdict(record), **asdict(record.timing)} for record in records]
    else:
        rows = [
            asdict(
                benchmark.time_sequence(
                    net, batch, rival_precision=against, seconds=seconds, max_error=max_error
                )
            )
            for batch in sizes
        ]
    peaks.append(measure_peak())  # again: a disturbed first one would flatter every row
    peak = max(peaks, key=lambda peak: peak.gflops)
    for row in rows:
        row["of_peak"] = row.get("gflops", row.get("darter_gflops", 0.0)) / peak.gflops
        if layers:
            row["limit"] = benchmark.limit(ConvSpec.parse(row["layer"]), peak) / peak.gflops
    print(
        f"{peak.threads} threads, {peak.isa}: peak {peak.gflops:.0f} GFLOP/s, "
        f"memory {peak.gigabytes:.0f} GB/s"
    )
    print(table(rows, columns=LAYER_COLUMNS if layers else SEQUENCE_COLUMNS))
    if out is not None:
        benchmark.append_records(out, peak, rows)


def _numbers(text: str) -> list[int]:
    from darter.errors import OptionError

    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise OptionError(f"--batches takes numbers like 1,8,64, got {text!r}")
    return numbers
