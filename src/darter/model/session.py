"""A model file made ready to run."""

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, OptionError, ShapeError, UnsupportedError
from darter.kernels import available_cpus
from darter.model.guess import guess_info
from darter.model.info import ModelInfo, info_from_metadata, metadata
from darter.model.predict import Picturelike, stream_logits
from darter.model.prediction import Prediction
from darter.model.runtime import Runtime, choose_runtime
from darter.model.signature import Signature, read_signature
from darter.model.tasks import get_task
from darter.net import read_model

if TYPE_CHECKING:
    from darter.net import StepReport

MOST_AT_ONCE = 32  # pictures per run, so that memory is bounded however many come
LEAST_PROBABILITY = 1e-30  # the logarithm of a Softmax output that is exactly 0


def load(
    path: Path | str,
    *,
    runtime: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> "Session":
    """Make any ONNX picture classifier ready to run.

    runtime: "darter", "onnxruntime", or "auto": darter's own engine where it can run the file, and
        otherwise ONNX Runtime, after a warning that lists what darter cannot run.
    precision: of the products: "float32", or "bfloat16", which is faster on CPUs that have it and
        a little less exact.
    threads: for the net; by default every CPU that this process may use.
    classes, size, mean, std: for a model that does not carry them (one not written by darter);
        given, they win over what the file says. What had to be guessed is in `Session.notes`.

    Raises ModelFileError if the file is missing, damaged or no picture classifier, and says why;
    UnsupportedError, with every node that cannot run, if no runtime takes it.
    """
    if threads is not None and (not isinstance(threads, Integral) or threads < 1):
        raise OptionError(f"threads must be a whole number from 1 on, got {threads!r}")
    model = read_model(path)
    signature = read_signature(model)
    chosen = choose_runtime(
        runtime,
        model,
        signature,
        threads=threads or available_cpus(),
        precision=precision,
        size=size,
    )
    known = info_from_metadata(metadata(model.proto), path)
    outputs = signature.classes
    if outputs is None and known is None and classes is None:
        outputs = _count_outputs(chosen, signature, size)
    info, notes = guess_info(
        known, outputs, signature.size, classes=classes, size=size, mean=mean, std=std
    )
    if outputs is not None and len(info.classes) != outputs:
        raise ModelFileError(f"{path}: {len(info.classes)} class names for {outputs} outputs")
    if signature.size is not None and info.preprocess.size != signature.size:
        raise ModelFileError(
            f"{path}: takes pictures of {signature.size}×{signature.size} pixels, "
            f"but size is {info.preprocess.size}"
        )
    return Session(chosen, signature, info, tuple(f"{path}: {note}" for note in notes))


class Session:
    """Runs one model. Made by `load`; safe to share between threads.

    info: classes, preprocessing, calibration, card.   notes: what `load` had to guess.
    runtime: what runs the net, "darter" or "onnxruntime".
    """

    def __init__(
        self,
        runtime: Runtime,
        signature: Signature,
        info: ModelInfo,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._runtime, self._signature = runtime, signature
        self.info, self.notes, self.runtime = info, notes, runtime.name

    def __repr__(self) -> str:
        classes, size = len(self.info.classes), self.info.preprocess.size
        return f"<Session: {classes} classes, pictures of {size}×{size}, on {self.runtime}>"

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class scores of preprocessed pictures.

        x: float32 (N, 3, size, size), as `info.preprocess` makes it. With the same N, the same
            pictures give the same bits; another N may round differently.
        Returns float32 logits (N, classes); of a net that ends in a Softmax, the logarithms of
        its probabilities, so that softmax(logits) is always the net's own answer.
        Raises ShapeError if x has another shape.
        """
        size = self._signature.size
        sides = (size, size) if size else x.shape[2:]
        if x.ndim != 4 or x.shape[1:] != (3, *sides):
            expected = f"(N, 3, {size or 'H'}, {size or 'W'})"
            raise ShapeError(f"Session.run: x must be {expected}, got {tuple(x.shape)}")
        if not len(x):
            return np.zeros((0, len(self.info.classes)), np.float32)
        scores = _run_in_batches(self._runtime, self._signature, x)
        if scores.shape[1] != len(self.info.classes):
            raise ModelFileError(
                f"the model gives {scores.shape[1]} scores for {len(self.info.classes)} classes"
            )
        return scores

    def __call__(self, sources: Iterable[Picturelike] | str | bytes | Path) -> list[Prediction]:
        """What is in each picture: `list(session.predict(sources))`."""
        return list(self.predict(sources))

    def predict(
        self,
        sources: Iterable[Picturelike] | str | bytes | Path,
        *,
        top: int = 5,
        batch_size: int = 16,
        unknown_below: float | None = None,
    ) -> Iterator[Prediction]:
        """Say what is in pictures, in their order, in constant memory.

        sources: paths, encoded bytes, uint8 arrays (H, W, 3), Pillow's images, or pairs (name, one
        of these), in a list or any other iterable; one path alone will do.
        top: how many of the likeliest classes each Prediction lists.
        unknown_below: replaces the threshold, or the thresholds of all labels, of the model.
        A picture that cannot be read becomes a Prediction with `error` set; nothing is raised.
        """
        if top < 1 or batch_size < 1:
            raise OptionError(f"top and batch_size must be 1 or more; got {top} and {batch_size}")
        if isinstance(sources, str | bytes | Path):
            sources = [sources]
        if unknown_below is not None and not 0 <= unknown_below <= 1:
            raise OptionError(f"unknown_below must lie in [0, 1]; got {unknown_below}")
        task = get_task(self.info.task)
        answers = stream_logits(self.run, self.info, sources, batch_size=batch_size)
        return (
            Prediction.failed(name, scores)
            if isinstance(scores, str)
            else task.prediction(name, scores, self.info, top=top, below=unknown_below)
            for name, scores in answers
        )

    def plan(self, batch: int = 1) -> list["StepReport"]:
        """Each step of the net for so many pictures, measured; printed, it is one line.

        Raises UnsupportedError where the net runs on ONNX Runtime, which does not tell; ShapeError
        where batch is no whole number from 1 on.
        """
        if not isinstance(batch, Integral) or batch < 1:
            raise ShapeError(f"Session.plan: batch must be a whole number from 1 on, got {batch!r}")
        report = getattr(self._runtime, "report", None)
        if report is None:
            raise UnsupportedError(f"{self.runtime} does not tell its plan")
        return report(self._signature.size or self.info.preprocess.size, batch)


def _run_in_batches(
    runtime: Runtime, signature: Signature, x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run x in the layout, type and batch that the graph insists on; give back plain logits."""
    count, batch = len(x), runtime.batch or MOST_AT_ONCE
    if signature.layout == "NHWC":
        x = x.transpose(0, 2, 3, 1)
    x = np.ascontiguousarray(x, signature.dtype)
    if runtime.batch and count % batch:
        x = np.concatenate((x, np.zeros((batch - count % batch, *x.shape[1:]), x.dtype)))
    parts = [runtime.run(x[start : start + batch]) for start in range(0, len(x), batch)]
    scores = np.concatenate(parts).astype(np.float32, copy=False)
    if scores.size % len(x) or scores.shape[0] != len(x):
        raise ModelFileError(f"output must be (N, classes); got {scores.shape} for {len(x)}")
    scores = scores.reshape(len(x), -1)[:count]
    return np.log(np.maximum(scores, LEAST_PROBABILITY)) if signature.probabilities else scores


def _count_outputs(runtime: Runtime, signature: Signature, size: int | None) -> int:
    side = signature.size or size or 224
    blank = np.zeros((1, 3, side, side), np.float32)
    return _run_in_batches(runtime, signature, blank).shape[1]
