"""`darter bench conv`: the lecture's Tables 5 and 6 on this machine, or every layer of a net."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from darter.bench import append_records, limit, time_gradients, time_layers, time_sequence
from darter.conv import ConvSpec
from darter.kernels import measure_peak
from darter.report import table

LAYER_COLUMNS = {
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


def convolutions(
    net: str,
    batches: Sequence[int],
    precision: str,
    seconds: float,
    layers: bool,
    max_error: float | None,
    out: Path | None,
) -> None:
    peaks = [measure_peak()]
    rows: list[dict[str, Any]]
    if layers:
        rows = [
            {**asdict(record), **asdict(record.timing)}
            for batch in batches
            for record in time_layers(net, batch=batch, seconds=seconds)
        ]
    else:
        rows = [
            asdict(
                time_sequence(
                    net, batch, rival_precision=precision, seconds=seconds, max_error=max_error
                )
            )
            for batch in batches
        ]
    peaks.append(measure_peak())  # again: a disturbed first one would flatter every row
    peak = max(peaks, key=lambda peak: peak.gflops)
    for row in rows:
        row["of_peak"] = row.get("gflops", row.get("darter_gflops", 0.0)) / peak.gflops
        if layers:
            row["limit"] = limit(ConvSpec.parse(row["layer"]), peak) / peak.gflops
    print(
        f"{peak.threads} threads, {peak.isa}: peak {peak.gflops:.0f} GFLOP/s, "
        f"memory {peak.gigabytes:.0f} GB/s\n"
        "GFLOP/s: FLOPs of the direct algorithm over time; Winograd and FFT need fewer"
    )
    if layers:
        for layer, timed in groupby(rows, key=itemgetter("layer")):
            of_layer = list(timed)
            times = of_layer[0]["times"]
            again = f", {times} times in the net" if times > 1 else ""
            print(table(of_layer, columns=LAYER_COLUMNS, title=f"{layer}{again}"))
    else:
        print(table(rows, columns=SEQUENCE_COLUMNS))
    if out is not None:
        append_records(out, peak, rows)


GRADIENT_COLUMNS = {
    "layer": "layer",
    "gradient": "gradient of",
    "algorithm": "algorithm",
    "darter_ms": "darter ms",
    "torch_ms": "PyTorch ms",
    "speedup": "speedup",
    "gflops": "GFLOP/s",
    "error": "error",
}


def conv_gradients(
    net: str | None,
    batches: Sequence[int],
    seconds: float,
    max_error: float | None,
    out: Path | None,
) -> None:
    """The gradients of typical layers, or of those of a net."""
    rows = [
        asdict(row) | {"batch": batch}
        for batch in batches
        for row in time_gradients(net, batch, seconds=seconds, max_error=max_error)
    ]
    peak = measure_peak()
    print(
        f"{peak.threads} threads, {peak.isa}: peak {peak.gflops:.0f} GFLOP/s, "
        f"memory {peak.gigabytes:.0f} GB/s\n"
        "GFLOP/s: FLOPs of the direct algorithm over darter's time"
    )
    print(table(rows, columns=GRADIENT_COLUMNS))
    if out is not None:
        append_records(out, peak, [{"benchmark": "gradients", **row} for row in rows])
