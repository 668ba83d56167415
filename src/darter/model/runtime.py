"""What a Session needs from whatever runs the net, and which one to take."""

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from darter.errors import (
    DarterError,
    MissingExtraError,
    ModelFileError,
    OptionError,
    ShapeError,
    UnsupportedError,
)
from darter.machine import available_cpus
from darter.model.fallback import why_not_by_itself
from darter.model.signature import Signature, read_signature
from darter.net import ModelFile, model_in_memory

if TYPE_CHECKING:
    from onnx import ModelProto

RUNTIMES = ("auto", "darter", "onnxruntime")


class Runtime(Protocol):
    """Runs one model file. `run` may be called from several threads.

    precision: of its products.   batch: the number of pictures per run that it insists on.
    outputs: what `run` gives.   axes: of the pictures in each output.
    """

    name: str
    precision: str
    batch: int | None
    outputs: tuple[str, ...]
    axes: tuple[int, ...]

    def run(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for pictures in the graph's own layout, in its shapes."""


def choose_runtime(
    name: str,
    model: ModelFile,
    signature: Signature,
    outputs: tuple[str, ...],
    *,
    threads: int,
    precision: str = "float32",
    size: tuple[int, int] | None = None,
) -> Runtime:
    """The runtime called `name`; "auto" is darter's own wherever it can run the file.

    outputs: what is wanted of the graph; the rest is not computed.   size: see `DarterRuntime`.
    Where it cannot, "auto" takes ONNX Runtime after a warning that says why, unless the file has
    loops, branches or tensors of unknown size (`fallback`).
    Raises OptionError for an unknown name; UnsupportedError where nothing installed can run the
    file, with what to install; MissingExtraError where ONNX Runtime is asked for and absent.
    """
    if name not in RUNTIMES:
        raise OptionError(f"runtime must be one of {', '.join(RUNTIMES)}; got {name!r}")
    if name == "onnxruntime":
        return _onnxruntime(model, signature, outputs, threads, precision)
    from darter.model.darter_runtime import DarterRuntime

    try:
        return DarterRuntime(model, signature, outputs, threads, precision, size)
    except (UnsupportedError, ShapeError) as error:
        if name == "darter":
            raise
        other = _instead(error, model, signature, outputs, threads)
        warnings.warn(f"{error}; it runs on ONNX Runtime instead", RuntimeWarning, stacklevel=3)
        return other


def _instead(
    error: DarterError,
    model: ModelFile,
    signature: Signature,
    outputs: tuple[str, ...],
    threads: int,
) -> Runtime:
    """ONNX Runtime, for a file that darter cannot run; an error where that would be unwise."""
    reason = why_not_by_itself(model)
    if reason is not None:
        raise type(error)(
            f"{error}. ONNX Runtime may run it, but {reason}: if you trust the file, ask for it by "
            "--runtime onnxruntime"
        ) from None
    try:
        return _onnxruntime(model, signature, outputs, threads, "float32")
    except MissingExtraError as missing:
        raise type(error)(f"{error}. {missing}") from None
    except ModelFileError:  # neither runs it; what darter says is the better sentence
        raise error from None


def runtime_of(
    proto: "ModelProto", name: str, *, threads: int | None = None, runtime: str = "auto"
) -> Runtime:
    """What runs a net that is in memory, e.g. just exported: pictures in, tensors out.

    Nothing but the graph is asked for: no classes, no preprocessing, and it runs in float32
    whatever the metadata asks for. Errors call it `name`.
    """
    model = model_in_memory(proto, name)
    signature = read_signature(model)
    return choose_runtime(
        runtime,
        model,
        signature,
        signature.names,
        threads=threads or available_cpus(),
        precision="float32",
    )


def runtimes_of(proto: "ModelProto", name: str) -> list[Runtime]:
    """All that can run a net that is in memory: darter's engine first, and ONNX Runtime.

    Raises MissingExtraError where only ONNX Runtime could and it is not installed.
    """
    found = []
    with suppress(UnsupportedError, ShapeError):
        found.append(runtime_of(proto, name, runtime="darter"))
    try:
        found.append(runtime_of(proto, name, runtime="onnxruntime"))
    except MissingExtraError:
        if not found:
            raise
    return found


def _onnxruntime(
    model: ModelFile,
    signature: Signature,
    outputs: tuple[str, ...],
    threads: int,
    precision: str,
) -> Runtime:
    from darter.model.onnxruntime_runtime import OnnxRuntime

    if precision != "float32":
        raise OptionError(f"ONNX Runtime runs in float32 only; precision is {precision!r}")
    return OnnxRuntime(model, signature, outputs, threads)
