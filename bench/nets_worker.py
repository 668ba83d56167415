"""One runtime with one net, in a process of its own; `bench/nets.py` talks to it.

    python nets_worker.py RUNTIME FOLDER NAME BATCH THREADS PRECISION

FOLDER holds NAME.onnx, NAME.x.npy and NAME.y.npy (pictures and PyTorch's float32 answers), and
NAME.pt for PyTorch. Writes one JSON line when loaded and checked, then one for each line "SECONDS"
that it reads: the milliseconds of runs that took about so long; with one thread, of CPU time,
which a busy machine disturbs least.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[], np.ndarray]
# Of |difference| / max |y|: catches a wrong computation. GoogLeNet with random weights magnifies
# rounding: MNN's Winograd strays 1.2e-3, OpenVINO's bfloat16 0.11, darter's 4e-5 and 0.07.
LIMITS = {"float32": 5e-3, "bfloat16": 0.15}


def darter(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import darter

    session = darter.load(file, threads=threads, precision=precision, runtime="darter")
    return lambda: session.run(x)


def onnxruntime(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]


def openvino(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import openvino as ov

    settings = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = ov.Core()
    net = core.read_model(file)
    net.reshape({"x": list(x.shape)})
    request = core.compile_model(net, "CPU", settings).create_infer_request()
    return lambda: next(iter(request.infer({"x": x}, share_inputs=True).values()))


def mnn(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import MNN.expr as expr
    import MNN.nn as nn

    converted = file.with_suffix(".mnn")
    if not converted.exists():
        tool = Path(sys.executable).with_name("mnnconvert")
        command = [tool, "-f", "ONNX", "--modelFile", file, "--MNNModel", converted]
        subprocess.run([*command, "--bizCode", "x"], check=True, capture_output=True)
    settings = {"backend": 0, "numThread": threads, "precision": "high"}
    manager = nn.create_runtime_manager((settings,))
    net = nn.load_module_from_file(str(converted), ["x"], ["y"], runtime_manager=manager)
    given = expr.convert(expr.const(x, x.shape, expr.NCHW), expr.NC4HW4)
    return lambda: expr.convert(net.forward([given])[0], expr.NCHW).read()


def ncnn(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import ncnn

    base = file.with_suffix("")
    if not Path(f"{base}.ncnn.param").exists():
        tool = Path(sys.executable).with_name("pnnx")
        shape = f"inputshape=[{','.join(map(str, x.shape))}]"
        subprocess.run([tool, file, shape, "fp16=0"], check=True, capture_output=True)
    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    net.load_param(f"{base}.ncnn.param")
    net.load_model(f"{base}.ncnn.bin")

    def run() -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(x[0]))
        return np.array(extractor.extract("out0")[1])[None]

    return run


def eager(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import torch

    net, pictures = _torch_net(file, x, threads)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return net(pictures).numpy()

    return run


def inductor(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import torch
    import torch._inductor.config as config

    config.freezing = True
    net, pictures = _torch_net(file, x, threads)
    compiled = torch.compile(net)

    def run() -> np.ndarray:
        with torch.no_grad():
            return compiled(pictures).numpy()

    return run


def _torch_net(file: Path, x: np.ndarray, threads: int):
    import torch

    torch.set_num_threads(threads)
    net = torch.load(file.with_suffix(".pt"), weights_only=False).eval()
    net = net.to(memory_format=torch.channels_last)
    return net, torch.from_numpy(x).to(memory_format=torch.channels_last)


RUNTIMES = {f.__name__: f for f in (darter, eager, inductor, onnxruntime, openvino, ncnn, mnn)}


def memory(field: str) -> float:
    """Megabytes: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def main() -> None:
    runtime, folder, name, batch, threads, precision = sys.argv[1:]
    file = Path(folder) / f"{name}.onnx"
    x = np.ascontiguousarray(np.load(file.with_suffix(".x.npy"))[: int(batch)])
    y = np.load(file.with_suffix(".y.npy"))[: int(batch)]
    before = memory("VmRSS")
    start = time.perf_counter()
    run = RUNTIMES[runtime](file, x, int(threads), precision)
    found = np.asarray(run()).reshape(y.shape)
    loaded = time.perf_counter() - start
    error = float(np.abs(found - y).max() / np.abs(y).max())
    if not error <= LIMITS[precision]:
        raise SystemExit(f"{runtime} computes something else on {name}: {error:.1e}")
    for _ in range(2):
        run()
    told = {"error": error, "load_s": loaded, "rss_mb": memory("VmRSS"), "peak_mb": memory("VmHWM")}
    print(json.dumps({**told, "before_mb": before}), flush=True)
    clock = time.process_time if threads == "1" else time.perf_counter
    for line in sys.stdin:
        end, times = time.perf_counter() + float(line), []
        while not times or time.perf_counter() < end:
            start = clock()
            run()
            times.append(1e3 * (clock() - start))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
