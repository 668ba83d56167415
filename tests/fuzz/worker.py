"""The process that loads and runs damaged files: one line "number outcome" for each."""

import resource
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import darter
from darter.errors import DarterError
from darter.names import to_json
from tests.fuzz.damage import damaged

FAR = 0.05  # of the largest answer
AUTO = 4  # every so many files may run on ONNX Runtime
PICTURE = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)


def outcome(content: bytes, folder: Path, runtime: str = "darter") -> str:
    """ "ran", or the name of what was raised.

    A classifier says what is in a picture, any net runs on two.
    """
    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        session = darter.load(path, runtime=runtime, threads=1)
        given = session.signature
        session.run(np.ones((2, given.channels, *given.sides(None, 224)), np.float32))
        for answer in session([PICTURE]):
            to_json(answer.to_json())
    except DarterError as error:
        return type(error).__name__
    return "ran"


def strays(path: Path) -> str:
    """How far darter's answers lie from ONNX Runtime's for a picture that both take, in words; ""
    where they agree, or one of them has no finite answer.

    Sums of the largest numbers round elsewhere: one number in twenty may stray.
    """
    session = darter.load(path, runtime="darter", threads=1)
    given = session.signature
    shape = (2, given.channels, *given.sides(None, 224))
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    try:
        others = _referee(path).run(None, {given.input: x})
    except Exception:  # refused there, in whatever way: nothing to hold darter to
        return ""
    found = session.run(x)
    for a, b in zip(found if isinstance(found, list) else [found], others, strict=True):
        if a.shape != b.shape:
            return f"{a.shape}, not {b.shape}"
        if not (b.size and np.isfinite(a).all() and np.isfinite(b).all()):
            continue
        off = np.abs(a - b) / max(float(np.abs(b).max()), 1e-6)
        if (off > FAR).mean() > 0.05:
            return f"off by {off.max():.2g} of the largest"
    return ""


def _referee(path: Path):
    import onnxruntime as ort

    ort.set_default_logger_severity(4)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main(first: int, stop: int, memory: int, quantized: int = 0) -> None:
    """quantized: files of 8-bit integers, whose answers are held against ONNX Runtime's."""
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    warnings.simplefilter("error", RuntimeWarning)
    warnings.filterwarnings("ignore", ".*runs on ONNX Runtime", RuntimeWarning)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, stop):
            runtime = "darter" if quantized or number % AUTO else "auto"
            ended = outcome(damaged(number, bool(quantized)), Path(folder), runtime)
            if quantized and ended == "ran":
                ended = strays(Path(folder) / "model.onnx") or ended
            print(number, ended, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
