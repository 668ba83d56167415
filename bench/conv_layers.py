"""Every algorithm on layers of the lecture's nets, and on growing filters, with cold weights.

python bench/conv_layers.py NET       --out conv-layers.jsonl  (--batch 8: conv-layers-8.jsonl)
python bench/conv_layers.py filters   --out conv-filters.jsonl
python bench/conv_layers.py depthwise --out conv-depthwise.jsonl

NET: vgg-e, alexnet, resnet-50, googlenet or inception-v3. --out: a file below bench/results.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from darter.bench import append_records, limit, time_layers
from darter.bench.convolutions import NETS
from darter.conv import ConvSpec, autotune
from darter.kernels import measure_peak, set_threads
from darter.report import table

RESULTS = Path(__file__).parent / "results"
FILTER_ALGORITHMS = (
    "direct", "winograd-2", "winograd-4", "winograd-6", "fft-16", "fft-32", "fft-64",
)  # fmt: skip
DEPTHWISE_ALGORITHMS = ("depthwise", "fft-16", "fft-32", "fft-64")
SIDES = (3, 5, 7, 9, 11, 15, 21, 31)
COLUMNS = ("layer", "algorithm", "low", "middle", "high", "gflops", "of_peak")


def filters(seconds: float) -> Iterator[dict]:
    """64 channels to 64 on 56x56 pixels, filters from 3x3 to 31x31."""
    for side in SIDES:
        spec = ConvSpec((1, 64, 56, 56), (64, 64, side, side), padding=side // 2)
        for timing in autotune(spec, only=FILTER_ALGORITHMS, seconds=seconds, keep=False):
            yield {"layer": f"{side}x{side}", **asdict(timing)}


def depthwise(seconds: float) -> Iterator[dict]:
    """192 channels on 56x56 pixels, one filter each, from 3x3 to 31x31."""
    for side in SIDES:
        spec = ConvSpec((1, 192, 56, 56), (192, 1, side, side), padding=side // 2, groups=192)
        for timing in autotune(spec, only=DEPTHWISE_ALGORITHMS, seconds=seconds, keep=False):
            yield {"layer": f"{side}x{side}", **asdict(timing)}


def layers(net: str, batch: int, seconds: float) -> Iterator[dict]:
    for record in time_layers(net, batch=batch, seconds=seconds):
        row = asdict(record)
        yield {**row, **row.pop("timing")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=(*NETS, "filters", "depthwise"))
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--batch", type=int, default=1, help="pictures, of a net")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out")
    options = parser.parse_args()
    set_threads(options.threads)
    before = measure_peak()
    if options.what in NETS:
        rows = list(layers(options.what, options.batch, options.seconds))
    else:
        rows = list((filters if options.what == "filters" else depthwise)(options.seconds))
    peak = max(before, measure_peak(), key=lambda peak: peak.gflops)
    for row in rows:
        row["of_peak"] = row["gflops"] / peak.gflops
        if options.what in NETS:
            row["limit"] = limit(ConvSpec.parse(row["layer"]), peak) / peak.gflops
    print(f"peak {peak.gflops:.0f} GFLOP/s, {peak.threads} threads, {peak.isa}")
    print(table(rows, columns=COLUMNS))
    if options.out:
        append_records(RESULTS / options.out, peak, rows)


if __name__ == "__main__":
    main()
