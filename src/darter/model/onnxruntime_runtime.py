"""ONNX Runtime behind the one method that a Session needs."""

import os
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from darter.errors import MissingExtraError, ModelFileError
from darter.extras import install_line
from darter.model.signature import Signature
from darter.net import ModelFile

FATAL = 4  # log level: errors come as exceptions, and warnings say nothing to a user


class OnnxRuntime:
    """Runs a checked model file. `run` may be called from several threads."""

    name, precision = "onnxruntime", "float32"

    def __init__(
        self, model: ModelFile, signature: Signature, outputs: tuple[str, ...], threads: int
    ) -> None:
        onnxruntime = _imported()
        self.batch, self.outputs = signature.batch, outputs
        axes = {output.name: output.axis for output in signature.outputs}
        self.axes = tuple(axes[name] for name in outputs)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = FATAL
        self._path, self._signature = model.path, signature
        # The bytes that were checked are the bytes that run, unless weights lie beside the file.
        source = str(model.path) if model.external else model.content
        try:
            self._session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelFileError(f"{model.path}: {_reason(error)}") from error

    def run(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The graph's outputs for pictures in its own layout, in its own shapes."""
        try:
            return self._session.run([*self.outputs], {self._signature.input: x})
        except Exception as error:
            raise ModelFileError(f"{self._path}: the net does not run: {_reason(error)}") from error


def run_once(content: bytes, inputs: dict[str, NDArray]) -> list[NDArray]:
    """All outputs of a model in memory. MissingExtraError where ONNX Runtime is not installed."""
    onnxruntime = _imported()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def _imported() -> ModuleType:
    """The package, which would count uses and write files in the user's home where it may."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it begins when it is imported
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            f"ONNX Runtime is not installed; to run such files: {install_line('ort')}"
        ) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _reason(error: Exception) -> str:
    """ONNX Runtime's message without its prefix, on one line."""
    text = " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")
    return text[:300]
