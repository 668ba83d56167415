"""Time one ONNX model in one other runtime; runs in the peers' own virtual environment.

    python peers_worker.py RUNTIME MODEL THREADS SECONDS        prints one JSON object

RUNTIME: onnxruntime, openvino, mnn or ncnn (models of chained 3x3 convolutions and pools only).
Every runtime computes in float32.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def onnxruntime(model: str, x: np.ndarray, threads: int):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]


def openvino(model: str, x: np.ndarray, threads: int):
    import openvino as ov

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda: next(iter(request.infer({"x": x}, share_inputs=True).values()))


def mnn(model: str, x: np.ndarray, threads: int):
    import MNN

    converted = Path(model).with_suffix(".mnn")
    command = ["-f", "ONNX", "--modelFile", model, "--MNNModel", str(converted), "--bizCode", "x"]
    tool = Path(sys.executable).with_name("mnnconvert")
    subprocess.run([tool, *command], check=True, capture_output=True)
    # A session: modules with a runtime manager compute on one thread, whatever they are told.
    net = MNN.Interpreter(str(converted))
    session = net.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
    given, got = net.getSessionInput(session), net.getSessionOutput(session)
    net.resizeTensor(given, x.shape)
    net.resizeSession(session)
    host = (MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe)
    picture = MNN.Tensor(x.shape, host[0], x, host[1])
    shape = got.getShape()

    def run():
        given.copyFrom(picture)
        net.runSession(session)
        result = MNN.Tensor(shape, host[0], np.empty(shape, np.float32), host[1])
        got.copyToHostTensor(result)
        return np.array(result.getData(), np.float32).reshape(shape)

    return run


def ncnn(model: str, x: np.ndarray, threads: int):
    import ncnn
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(model).graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    lines, data = ["Input x 0 1 x"], b""
    for i, node in enumerate(graph.node):
        head = f"{node.op_type}{i} 1 1 {node.input[0]} {node.output[0]}"
        if node.op_type == "Conv":
            w, bias = arrays[node.input[1]], arrays[node.input[2]]
            lines.append(f"Convolution {head} 0={w.shape[0]} 1={w.shape[2]} 3=1 4=1 5=1 6={w.size}")
            data += b"\0\0\0\0" + w.tobytes() + bias.tobytes()
        elif node.op_type == "Relu":
            lines.append(f"ReLU {head}")
        else:
            lines.append(f"Pooling {head} 0=0 1=2 2=2 5=1")
    text = f"7767517\n{len(lines)} {len(lines)}\n" + "\n".join(lines) + "\n"
    Path(model).with_suffix(".param").write_text(text)
    Path(model).with_suffix(".bin").write_bytes(data)
    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        if hasattr(net.opt, f"use_{name}"):
            setattr(net.opt, f"use_{name}", False)
    net.load_param(str(Path(model).with_suffix(".param")))
    net.load_model(str(Path(model).with_suffix(".bin")))

    def run():
        extractor = net.create_extractor()
        extractor.input("x", ncnn.Mat(x[0]))
        return np.array(extractor.extract("y")[1])[None]

    return run


def main() -> None:
    runtime, model, threads, seconds = sys.argv[1:]
    x = np.load(Path(model).with_suffix(".x.npy"))
    run = {"onnxruntime": onnxruntime, "openvino": openvino, "mnn": mnn, "ncnn": ncnn}[runtime](
        model, x, int(threads)
    )
    error = float(np.abs(run() - np.load(Path(model).with_suffix(".y.npy"))).max())
    clock = time.process_time if threads == "1" else time.perf_counter  # as in conv_peers.py
    times = []
    end = time.perf_counter() + float(seconds)
    while len(times) < 3 or time.perf_counter() < end:
        start = clock()
        run()
        times.append(1e3 * (clock() - start))
    result = {"ms": statistics.median(times), "min_ms": min(times), "max_error": error}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
