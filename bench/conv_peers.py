"""darter's convolutions beside other runtimes, in one run.

    python bench/conv_peers.py /path/to/peers/venv/bin/python [--only TEXT] [--out FILE]

The peers' environment needs: numpy onnx onnxruntime openvino MNN ncnn (MNN's dependencies pin an
old protobuf: keep it apart from darter's). Rows: the convolutions of VGG-E with ReLU (the peers
also pool between them, less than 1% of the work), and single layers where others are strong: 1x1
and depthwise; --only takes those whose title has TEXT in it. Every peer's output is checked before
it is timed. Speedups compare the fastest runs, which a busy machine disturbs least; with one
thread, CPU time is taken.
"""

import argparse
import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from darter.bench import append_records, net_layers
from darter.conv import ConvSpec, prepare
from darter.kernels import blocked_shape, measure_peak, set_threads, threads

SINGLE = [
    "1,256,56,56/64,256,1,1",
    "1,64,56,56/256,64,1,1",
    "1,1024,14,14/256,1024,1,1",
    "1,512,7,7/2048,512,1,1",
    "1,512,28,28/1024,512,1,1/stride=2",
    "1,96,112,112/96,1,3,3/padding=1/groups=96",
    "1,144,56,56/144,1,3,3/padding=1/groups=144",
    "1,240,28,28/240,1,5,5/padding=2/groups=240",
    "1,384,14,14/384,1,3,3/padding=1/groups=384",
    "1,960,7,7/960,1,3,3/padding=1/groups=960",
]


def model(layers: list[ConvSpec], folder: Path, *, pools: bool) -> tuple[Path, list[np.ndarray]]:
    """Chain of convolutions as ONNX: each with bias and ReLU, and pools where sizes halve."""
    rng = np.random.default_rng(0)
    nodes, arrays, weights, name = [], [], [], "x"
    for i, spec in enumerate(layers):
        if pools and i and spec.x[2] < layers[i - 1].x[2]:
            nodes.append(
                helper.make_node("MaxPool", [name], [f"p{i}"], kernel_shape=[2, 2], strides=[2, 2])
            )
            name = f"p{i}"
        depth = int(np.prod(spec.w[1:]))
        w = rng.standard_normal(spec.w, np.float32) * np.float32((2 / depth) ** 0.5)
        weights.append(w)
        arrays += [
            numpy_helper.from_array(w, f"w{i}"),
            numpy_helper.from_array(np.zeros(spec.w[0], np.float32), f"b{i}"),
        ]
        nodes.append(
            helper.make_node(
                "Conv", [name, f"w{i}", f"b{i}"], [f"c{i}"], kernel_shape=spec.w[2:],
                strides=spec.stride, pads=spec.padding, group=spec.groups,
            )
        )  # fmt: skip
        name = "y" if i == len(layers) - 1 else f"r{i}"
        nodes.append(helper.make_node("Relu", [f"c{i}"], [name]))
    graph = helper.make_graph(
        nodes, "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, layers[0].x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, layers[-1].y)], arrays,
    )  # fmt: skip
    file = folder / "model.onnx"
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), file)
    return file, weights


def save_truth(file: Path, x: np.ndarray) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    np.save(file.with_suffix(".x.npy"), x)
    np.save(file.with_suffix(".y.npy"), session.run(None, {"x": x})[0])


def darter_times(
    layers: list[ConvSpec], weights: list[np.ndarray], seconds: float
) -> dict[str, float]:
    steps = []
    for spec, w in zip(layers, weights, strict=True):
        layer = prepare(spec, w, np.zeros(spec.w[0], np.float32), activation="relu")
        shape = spec.x if layer.prefers[0] == "plain" else blocked_shape(spec.x)
        x = np.ones(shape, np.float32)
        steps.append((layer, x, np.zeros(blocked_shape(spec.y), np.float32)))
    clock = process_time if threads() == 1 else perf_counter  # a busy machine disturbs it less
    times = []
    end = perf_counter() + seconds
    while len(times) < 4 or perf_counter() < end:
        start = clock()
        for layer, x, y in steps:
            layer(x, y)
        times.append(1e3 * (clock() - start))
    return {"ms": median(times[1:]), "min_ms": min(times)}


def compare(
    title: str, layers: list[ConvSpec], runtimes: list[str], python: str, seconds: float,
    *, pools: bool,
) -> dict:  # fmt: skip
    gflop = 2e-9 * sum(spec.multiply_adds for spec in layers)
    row = {"what": title, "gflop": gflop}
    with tempfile.TemporaryDirectory() as folder:
        file, weights = model(layers, Path(folder), pools=pools)
        save_truth(file, np.random.default_rng(1).random(layers[0].x, np.float32))
        runs = [darter_times(layers, weights, seconds)]
        for runtime in runtimes:
            worker = Path(__file__).with_name("peers_worker.py")
            done = subprocess.run(
                [python, str(worker), runtime, str(file), str(threads()), str(seconds)],
                capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"{runtime} failed on {title}:\n{done.stderr[-2000:]}")
            result = json.loads(done.stdout.splitlines()[-1])
            if not result["max_error"] < 1e-2:
                raise RuntimeError(f"{runtime} computes something else: {result}")
            row |= {f"{runtime}_{key}": result[key] for key in ("ms", "min_ms")}
        runs.append(darter_times(layers, weights, seconds))
    row |= {f"darter_{key}": min(run[key] for run in runs) for key in ("ms", "min_ms")}
    ours = row["darter_min_ms"]
    best, peer = min((row[f"{runtime}_min_ms"], runtime) for runtime in runtimes)
    row |= {"best_peer": peer, "speedup": best / ours, "gflops": 1e3 * gflop / ours}
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="the interpreter of the peers' environment")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=threads())
    options = parser.parse_args()
    set_threads(options.threads)
    peak = measure_peak()
    print(json.dumps(asdict(peak)), flush=True)
    jobs = [("VGG-E, N=1", ["ncnn", "mnn"]), ("VGG-E, N=8", ["mnn"])]
    jobs += [(text, ["onnxruntime", "openvino"]) for text in SINGLE]
    rows = []
    for title, peers in jobs:
        if options.only not in title:
            continue
        if title.startswith("VGG-E"):
            net = net_layers("vgg-e", int(title.split("=")[1]))
            layers = [spec for spec, times in net for _ in range(times)]
        else:
            layers = [ConvSpec.parse(title)]
        pools = len(layers) > 1
        rows.append(compare(title, layers, peers, options.python, options.seconds, pools=pools))
    if options.out:
        append_records(options.out, peak, rows)


if __name__ == "__main__":
    main()
