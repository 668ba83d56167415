"""Where an 8-bit net spends its time: each layer beside its floors, and beside OpenVINO's.

    .venv/bin/python bench/integer_layers.py resnet50 --batch 1 --peer /path/to/python

NET is one of `darter bench nets`, with random weights, as ONNX Runtime's quantizer makes it. One
thread. The floor of a layer is the longer one of two: its products at the CPU's peak, which is four
times that of float32 multiply-adds with VNNI, and its tensors and filters at the speed of a copy
between caches. OpenVINO's times are its own counters'. Prints layers with most above the floor.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import darter
from darter.bench import quantized_net, random_net
from darter.errors import DarterError
from darter.kernels import measure_peak, using_threads

PER_FLOAT = 4  # products of bytes for one of float32
COPIED = 4 << 20  # bytes: more than the second cache holds
SHOWN = 12
PEER = """
import json, sys
import numpy as np
import openvino as ov
file, batch, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x = np.load(file.replace(".onnx", ".x.npy"))[:batch]
core = ov.Core()
net = core.read_model(file)
net.reshape(list(x.shape))
settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERF_COUNT": True}
request = core.compile_model(net, "CPU", settings).create_infer_request()
for _ in range(runs):
    request.infer([x], share_inputs=True)
times = {p.node_name: p.real_time.total_seconds() for p in request.profiling_info}
print(json.dumps({name: 1e3 * s for name, s in times.items() if s}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", nargs="?", default="resnet50")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--peer", type=Path, help="a Python with OpenVINO")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, using_threads(1):
        try:
            file = quantized_net(random_net(options.net, Path(folder)), Path(folder))
        except DarterError as error:
            parser.error(str(error))
        products = PER_FLOAT * measure_peak().gflops / 2 * 1e6  # a millisecond
        copied = _bytes_a_millisecond()
        session = darter.load(file, threads=1, runtime="darter")
        steps = session.plan(options.batch)
        peer = _peer(options.peer, file, options.batch) if options.peer else {}
    floors = [max(s.multiply_adds / products, s.bytes / copied) for s in steps]
    total = sum(s.ms for s in steps)
    print(
        f"{options.net}, {options.batch} pictures: {total:.2f} ms, floor {sum(floors):.2f} ms "
        f"({products / 1e6:.0f} products a ns, {copied / 1e6:.0f} bytes a ns)"
    )
    if peer:
        print(f"OpenVINO: {sum(peer.values()):.2f} ms by its counters")
    _print_groups(steps, floors, peer)
    order = sorted(range(len(steps)), key=lambda i: floors[i] - steps[i].ms)[:SHOWN]
    print("\nmost above the floor:")
    for i in order:
        print(f"{steps[i].ms - floors[i]:7.3f} ms of {steps[i]}")


def _print_groups(steps, floors, peer) -> None:
    """By the sizes of what layers give."""
    groups: dict[str, list[float]] = {}
    for step, floor in zip(steps, floors, strict=True):
        side = "x".join(map(str, step.shape[2:])) or "rows"
        sums = groups.setdefault(f"{step.op} to {side}", [0, 0.0, 0.0, 0.0])
        theirs = peer.get(f"{step.name}/WithoutBiases", 0.0)
        for place, number in enumerate((1, step.ms, floor, theirs)):
            sums[place] += number
    for name, (count, ms, floor, theirs) in groups.items():
        beside = f"   OpenVINO {theirs:7.3f}" if theirs else ""
        print(f"{name:26} {count:3} layers {ms:8.3f} ms   floor {floor:7.3f}{beside}")


def _bytes_a_millisecond() -> float:
    a, b = np.ones((2, COPIED), np.uint8)
    least = float("inf")
    for _ in range(50):
        start = time.perf_counter()
        np.copyto(a, b)
        least = min(least, time.perf_counter() - start)
    return 2 * COPIED / least / 1e3


def _peer(python: Path, file: Path, batch: int) -> dict[str, float]:
    command = [str(python), "-c", PEER, str(file), str(batch), "20"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


if __name__ == "__main__":
    main()
