"""Every algorithm on layers of the lecture's nets, and on growing filters, with cold weights.

python bench/conv_layers.py nets    [--seconds 0.3] [--out bench/results/conv-layers.jsonl]
python bench/conv_layers.py filters [--seconds 0.3] [--out bench/results/conv-filters.jsonl]
python bench/conv_layers.py depthwise [--seconds 0.3] [--out bench/results/conv-depthwise.jsonl]
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from darter.conv import ConvSpec, autotune
from darter.conv.benchmark import append_records, time_layers
from darter.kernels import measure_peak
from darter.report import table

NETS = ("vgg-e", "alexnet", "resnet-50")
FILTER_ALGORITHMS = (
    "direct", "winograd-2", "winograd-4", "winograd-6", "fft-16", "fft-32", "fft-64",
)  # fmt: skip
DEPTHWISE_ALGORITHMS = ("depthwise", "fft-16", "fft-32", "fft-64")
SIDES = (3, 5, 7, 9, 11, 15, 21, 31)
COLUMNS = ("layer", "algorithm", "low", "middle", "high", "gflops", "of_peak")


def filters(seconds: float) -> list[dict]:
    """64 channels to 64 on 56x56 pixels, filters from 3x3 to 31x31."""
    rows = []
    for side in SIDES:
        spec = ConvSpec((1, 64, 56, 56), (64, 64, side, side), padding=side // 2)
        for timing in autotune(spec, only=FILTER_ALGORITHMS, seconds=seconds):
            rows.append({"layer": f"{side}x{side}", **asdict(timing)})
    return rows


def depthwise(seconds: float) -> list[dict]:
    """192 channels on 56x56 pixels, one filter each, from 3x3 to 31x31."""
    rows = []
    for side in SIDES:
        spec = ConvSpec((1, 192, 56, 56), (192, 1, side, side), padding=side // 2, groups=192)
        for timing in autotune(spec, only=DEPTHWISE_ALGORITHMS, seconds=seconds):
            rows.append({"layer": f"{side}x{side}", **asdict(timing)})
    return rows


def nets(seconds: float) -> list[dict]:
    rows, seen = [], set()
    for net in NETS:
        for record in time_layers(net, seconds=seconds):
            if (record.layer, record.timing.algorithm) not in seen:
                seen.add((record.layer, record.timing.algorithm))
                row = asdict(record)
                rows.append({**row, **row.pop("timing")})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("nets", "filters", "depthwise"))
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = measure_peak()
    rows = {"nets": nets, "filters": filters, "depthwise": depthwise}[options.what](options.seconds)
    peak = max(before, measure_peak(), key=lambda peak: peak.gflops)
    for row in rows:
        row["of_peak"] = row["gflops"] / peak.gflops
    print(f"peak {peak.gflops:.0f} GFLOP/s, {peak.threads} threads, {peak.isa}")
    print(table(rows, columns=COLUMNS))
    if options.out:
        append_records(options.out, peak, rows)


if __name__ == "__main__":
    main()
