"""One runtime with one net, in a process of its own; `darter.bench.nets` talks to it.

    python runtimes.py RUNTIME FILE BATCH THREADS PRECISION

FILE is NAME.onnx; beside it lie NAME.x.npy and NAME.y.npy (pictures and the answers expected in
float32) and, for PyTorch, NAME.pt. Writes one JSON line when the net is loaded and checked, or why
it is not ("left_out"); then one for each line "SECONDS" that it reads: the milliseconds of runs
that took about so long. With one thread that is CPU time, which a busy machine disturbs least.

Runs under interpreters without darter: only the function `darter` may import it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[], np.ndarray]
# Of max |difference| / max |y|: tells a wrong computation from rounding. Random nets magnify
# rounding: MNN's Winograd strays by 1.2e-3 on GoogLeNet, OpenVINO's bfloat16 by 0.11. Answers in 8
# bits are held to ONNX Runtime's of the same file.
LIMITS = {"float32": 5e-3, "bfloat16": 0.15, "int8": 0.15}


def darter(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import darter

    kept = "float32" if precision == "int8" else precision  # the file says which layers are int8
    session = darter.load(file, threads=threads, precision=kept, runtime="darter")
    return lambda: np.asarray(session.run(x))


def onnxruntime(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, given)[0]


def openvino(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import openvino as ov

    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = ov.Core()
    net = core.read_model(file)
    net.reshape(list(x.shape))
    request = core.compile_model(net, "CPU", settings).create_infer_request()
    return lambda: next(iter(request.infer([x], share_inputs=True).values()))


def mnn(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import MNN

    converted = file.with_suffix(".mnn")
    if outdated(converted, file):
        tool = Path(sys.executable).with_name("mnnconvert")
        command = [str(tool), "-f", "ONNX", "--modelFile", str(file), "--MNNModel", str(converted)]
        subprocess.run([*command, "--bizCode", "x"], check=True, capture_output=True)
    # A session: modules with a runtime manager compute on one thread, whatever they are told.
    net = MNN.Interpreter(str(converted))
    session = net.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
    given, got = net.getSessionInput(session), net.getSessionOutput(session)
    net.resizeTensor(given, x.shape)
    net.resizeSession(session)
    kind, layout = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe
    pictures, shape = MNN.Tensor(x.shape, kind, x, layout), got.getShape()

    def run() -> np.ndarray:
        given.copyFrom(pictures)
        net.runSession(session)
        result = MNN.Tensor(shape, kind, np.empty(shape, np.float32), layout)
        got.copyToHostTensor(result)
        return result.getNumpyData().copy()  # which is a view of `result`

    return run


def ncnn(file: Path, x: np.ndarray, threads: int, precision: str) -> Run:
    import ncnn

    base = file.with_suffix("")
    if outdated(Path(f"{base}.ncnn.param"), file):
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


def outdated(converted: Path, file: Path) -> bool:
    """Whether there is no conversion yet, or one of an earlier model of this name."""
    return not converted.exists() or converted.stat().st_mtime < file.stat().st_mtime


def memory(field: str) -> float:
    """Megabytes: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def check(found: np.ndarray, y: np.ndarray, precision: str) -> float:
    """The difference, relative to the largest answer. Raises ValueError if it is no rounding."""
    error = float(np.abs(found - y).max() / np.abs(y).max())
    if not error <= LIMITS[precision]:
        raise ValueError(f"computes something else: {error:.1e} of the largest output")
    return error


def loaded(runtime: str, file: Path, batch: int, threads: int, precision: str) -> tuple[Run, dict]:
    """The net, run and checked; and what that took."""
    x = np.ascontiguousarray(np.load(file.with_suffix(".x.npy"))[:batch])
    y = np.load(file.with_suffix(".y.npy"))[:batch]
    before = memory("VmRSS")
    start = time.perf_counter()
    run = RUNTIMES[runtime](file, x, threads, precision)
    found = np.asarray(run()).reshape(y.shape)
    seconds = time.perf_counter() - start
    error = check(found, y, precision)
    for _ in range(2):
        run()
    told = {"error": error, "load_s": seconds, "rss_mb": memory("VmRSS")}
    return run, {**told, "peak_mb": memory("VmHWM"), "before_mb": before}


def main() -> None:
    runtime, file, batch, threads, precision = sys.argv[1:]
    try:
        run, told = loaded(runtime, Path(file), int(batch), int(threads), precision)
    except ModuleNotFoundError as missing:
        told = {"left_out": f"{missing.name} is not installed"}
    except subprocess.CalledProcessError as error:
        told = {"left_out": f"{Path(error.cmd[0]).name} cannot convert the net"}
    except Exception as error:  # whatever a runtime has against this net
        told = {"left_out": " ".join(str(error).split())[:200] or type(error).__name__}
    print(json.dumps(told), flush=True)
    clock = time.process_time if threads == "1" else time.perf_counter
    for line in sys.stdin:
        end = time.perf_counter() + float(line)
        times: list[float] = []
        while not times or time.perf_counter() < end:
            start = clock()
            run()
            times.append(1e3 * (clock() - start))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
