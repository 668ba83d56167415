"""A model file made ready to run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, OptionError, ShapeError, UnsupportedError
from darter.kernels import FLOAT32
from darter.locks import Lock
from darter.machine import available_cpus
from darter.model.batches import run_in_batches
from darter.model.guess import guess_info
from darter.model.info import ModelInfo, info_from_metadata, metadata, model_file
from darter.model.over import Averaging, averaging, novelty_of
from darter.model.precision import Asked
from darter.model.predict import Picturelike, stream_logits
from darter.model.prediction import Prediction, Predictions
from darter.model.runtime import Runtime, choose_runtime
from darter.model.scores import Scores, read_scores
from darter.model.signature import LARGEST_SIDE, Signature, read_signature
from darter.model.tasks import OTHERS, get_task
from darter.net import ModelFile, read_model

if TYPE_CHECKING:
    from darter.net import StepReport

DRAWS = "draws"  # the output of answers with the head's noise on
NOVELTY = "novelty"  # the output that says how foreign a picture is
USUAL_SIZE = 224  # of pictures, for a net that takes any
Make = Callable[[tuple[str, ...]], Runtime]  # what runs a file, for these outputs


def load(
    path: Path | str,
    *,
    runtime: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> "Session":
    """Make an ONNX file of a CNN ready to run.

    path: of the file, or of a training run's folder, whose model.onnx is meant.
    runtime: "darter", "onnxruntime", or "auto": darter's own engine where it can run the file, and
        otherwise ONNX Runtime, after a warning that lists what darter cannot run.
    precision: of the products: "float32", or "bfloat16", which is faster on CPUs that have it and
        a little less exact. None: as the file asks for (`darter.precision`) where this CPU has it,
        else float32; `Session.why_precision` says what was taken.
    threads: for the net; by default every CPU that this process may use.
    classes, size, mean, std: for a classifier that does not carry them (one not written by
        darter); given, they win over what the file says. size: a side, or (height, width). What
        had to be guessed is in `Session.notes`.

    Any net that takes one tensor of pictures can `run`; `predict` needs one that gives scores of
    classes. Raises ModelFileError if the file is missing or damaged, or takes anything else;
    UnsupportedError, with what is missing, if no runtime takes it; OptionError for threads, a
    runtime or a precision that there is not.
    """
    if threads is not None and (not isinstance(threads, Integral) or threads < 1):
        raise OptionError(f"threads must be a whole number from 1 on, got {threads!r}")
    path = model_file(path)
    model = read_model(path)
    signature = read_signature(model)
    scores = _scores(model, signature)
    known = info_from_metadata(metadata(model.proto), path)
    asked = Asked(precision, FLOAT32 if known is None else known.precision)
    make = partial(
        choose_runtime,
        runtime,
        model,
        signature,
        threads=threads or available_cpus(),
        precision=FLOAT32 if precision is None and runtime == "onnxruntime" else asked.taken,
        size=signature.sides(size, USUAL_SIZE),
    )
    if known is not None and known.task in OTHERS:
        scores = other_task(path, known.task)
    if isinstance(scores, ModelFileError):
        return Session(signature, make, make(signature.names), scores, scores, asked=asked)
    chosen = make((scores.output, *(n for n in signature.names if n == NOVELTY)))
    outputs = scores.classes
    if outputs is None and known is None and classes is None:
        outputs = _count_outputs(chosen, signature, scores, size)
    info, notes = guess_info(
        known, outputs, signature, scores.task, classes=classes, size=size, mean=mean, std=std
    )
    if outputs is not None and len(info.classes) != outputs:
        raise ModelFileError(f"{path}: {len(info.classes)} class names for {outputs} outputs")
    _check_size(path, signature, info.preprocess.sides)
    said = asked.note(chosen.name, chosen.precision)
    told = tuple(f"{path}: {note}" for note in (*notes, *([said] if said else [])))
    return Session(signature, make, chosen, scores, info, told, asked)


class Session:
    """Runs one model. Made by `load`; safe to share between threads.

    info: classes, preprocessing, calibration, card, task; raises ModelFileError where the net
        gives no scores of classes.   signature: what its graph takes and gives.
    notes: what `load` had to guess, and whether the file's precision is followed.   runtime: what
        runs the net, "darter" or "onnxruntime".   precision: that it runs in.
    """

    def __init__(
        self,
        signature: Signature,
        make: Make,
        runtime: Runtime,
        scores: Scores | ModelFileError,
        info: ModelInfo | ModelFileError,
        notes: tuple[str, ...] = (),
        asked: Asked | None = None,
    ) -> None:
        self.signature, self.notes, self._asked = signature, notes, asked or Asked()
        self.runtime, self.precision = runtime.name, runtime.precision
        self._make, self._runtime, self._scores, self._info = make, runtime, scores, info
        self._drawn: Runtime | None = None
        self._lock, self._all = Lock(), runtime if runtime.outputs == signature.names else None

    def __repr__(self) -> str:
        if isinstance(self._info, ModelFileError):
            return f"<Session: {', '.join(map(str, self.signature.outputs))}, on {self.runtime}>"
        height, width = self._info.preprocess.sides
        classes = len(self._info.classes)
        return f"<Session: {classes} classes, pictures of {height}×{width}, on {self.runtime}>"

    @property
    def why_precision(self) -> str:
        """What it runs in and why, in a sentence."""
        return self._asked.why(self.runtime, self.precision)

    @property
    def info(self) -> ModelInfo:
        if isinstance(self._info, ModelFileError):
            raise self._info
        return self._info

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """All outputs of the net for preprocessed pictures.

        x: float32 (N, C, H, W), whatever layout the file has. With the same N, the same pictures
            give the same bits; another N may round differently.
        Returns float32 arrays in the graph's shapes and order; one array if there is one output.
        Raises ShapeError if x has another shape; UnsupportedError where `predict` needs a part of
        the net only, and another part cannot run.
        """
        x = self._checked(x)
        with self._lock:
            if self._all is None:
                self._all = self._make(self.signature.names)
        outputs = run_in_batches(self._all, self.signature, x)
        return outputs[0] if len(outputs) == 1 else outputs

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class scores of preprocessed pictures: what `predict` judges by.

        x: float32 (N, C, H, W), as `info.preprocess` makes it.
        Returns float32 logits (N, classes); of a net that ends in a Softmax, the logarithms of
        its probabilities, so that softmax(logits) is always the net's own answer; of one that ends
        in a Sigmoid, the inverse of that.
        Raises ShapeError if x has another shape, ModelFileError if the net gives no such scores.
        """
        return self.rows(x)[:, : len(self.info.classes)]

    def rows(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """`logits`, and in a last column the novelty where the net gives it: (N, classes [+ 1])."""
        if isinstance(self._scores, ModelFileError):
            raise self._scores
        x, classes = self._checked(x), len(self.info.classes)
        output, *others = run_in_batches(self._runtime, self.signature, x)
        scores = self._scores.logits(output)
        if len(scores) != len(x):
            raise ModelFileError(f"the model gives {len(scores)} rows for {len(x)} pictures")
        if scores.shape[1] != classes:
            raise ModelFileError(f"the model gives {scores.shape[1]} scores for {classes} classes")
        return np.concatenate([scores, *(other.reshape(len(x), 1) for other in others)], axis=1)

    def drawn(self, x: NDArray[np.float32], draws: int) -> NDArray[np.float32]:
        """Rows of `rows` with the head's noise on: (N, draws, classes [+ 1]).

        The first so many of the draws that the file holds; its novelty does not depend on them.
        """
        plain, classes = self.rows(x), len(self.info.classes)
        with self._lock:
            if self._drawn is None:
                self._drawn = self._make((DRAWS,))
        (found,) = run_in_batches(self._drawn, self.signature, self._checked(x))
        rows = found.reshape(len(x), -1, classes)[:, :draws]
        novelty = np.repeat(plain[:, None, classes:], draws, axis=1)
        return np.concatenate([rows, novelty], axis=2)

    def answering(self, mean: Averaging) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """What gives the rows that `mean.merge` takes."""
        return partial(self.drawn, draws=mean.draws) if mean.draws else self.rows

    def __call__(self, sources: Iterable[Picturelike] | str | bytes | Path) -> Predictions:
        """What is in each picture: `list(session.predict(sources))`, shown well in notebooks."""
        return Predictions(self.predict(sources))

    def predict(
        self,
        sources: Iterable[Picturelike] | str | bytes | Path,
        *,
        top: int = 5,
        batch_size: int = 16,
        unknown_below: float | None = None,
        over: Sequence[str] | None = None,
    ) -> Iterator[Prediction]:
        """Say what is in pictures, in their order, in constant memory.

        sources: paths, encoded bytes, uint8 arrays (H, W, 3), Pillow's images, or pairs (name, one
        of these), in a list or any other iterable; one path alone will do.
        top: how many of the likeliest classes each Prediction lists.
        unknown_below: replaces the threshold, or the thresholds of all labels, of the model.
        over: what answers are averaged over, as ("views:10x5",); None for what the file decided,
            ("none",) for a single look at each picture.
        A picture that cannot be read becomes a Prediction with `error` set; nothing is raised.
        Raises ModelFileError if the net gives no scores of classes.
        """
        info = self.info
        if top < 1 or batch_size < 1:
            raise OptionError(f"top and batch_size must be 1 or more; got {top} and {batch_size}")
        if isinstance(sources, str | bytes | Path):
            sources = [sources]
        if unknown_below is not None and not 0 <= unknown_below <= 1:
            raise OptionError(f"unknown_below must lie in [0, 1]; got {unknown_below}")
        task, mean = get_task(info.task), averaging(info, over)
        answers = stream_logits(
            self.answering(mean),
            info,
            sources,
            batch_size=batch_size,
            look=mean.look,
            merge=mean.merge,
        )
        return (
            Prediction.failed(name, scores)
            if isinstance(scores, str)
            else replace(
                task.prediction(
                    name, scores[: len(info.classes)], mean.info, top=top, below=unknown_below
                ),
                notes=notes,
            ).judged(
                novelty_of(scores, info),
                None if unknown_below is not None else mean.info.calibration.unknown_above,
            )
            for name, scores, notes in answers
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
        usual = self._info.preprocess.sides if isinstance(self._info, ModelInfo) else None
        return report(self.signature.sides(usual, USUAL_SIZE), batch)

    def _checked(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """x, if it has the shape that the graph takes."""
        channels, (height, width) = self.signature.channels, self.signature.size
        given = tuple(x.shape)
        fits = len(given) == 4 and given[1] == channels and min(given[2:]) > 0
        if not fits or given[2] != (height or given[2]) or given[3] != (width or given[3]):
            expected = f"(N, {channels}, {height or 'H'}, {width or 'W'})"
            raise ShapeError(f"Session.run: x must be {expected}, got {given}")
        return x


def other_task(path: Path | str, task: str) -> ModelFileError:
    """What to say where a class of a picture is asked of a model that gives none."""
    does = {"detect": "finds things and their boxes", "caption": "writes sentences"}[task]
    return ModelFileError(f"{path} {does}, it gives no class of a picture: use `{OTHERS[task]}`")


def _scores(model: ModelFile, signature: Signature) -> Scores | ModelFileError:
    """The scores of classes that the net gives; the error that says why it gives none."""
    try:
        if signature.channels not in (1, 3):
            raise ModelFileError(
                f"takes {signature.channels} channels; a picture has 3 (RGB) or 1 (grey)"
            )
        return read_scores(model.proto, signature)
    except ModelFileError as error:
        return ModelFileError(f"{model.path}: {error}")


def _count_outputs(
    runtime: Runtime, signature: Signature, scores: Scores, size: int | tuple[int, int] | None
) -> int:
    height, width = signature.sides(size, USUAL_SIZE)
    blank = np.zeros((1, signature.channels, height, width), np.float32)
    output, *_ = run_in_batches(runtime, signature, blank)
    return scores.logits(output).shape[1]


def _check_size(path: Path | str, signature: Signature, sides: tuple[int, int]) -> None:
    if max(sides) > LARGEST_SIDE:
        raise ModelFileError(
            f"{path}: its pictures are {max(sides)} pixels wide or high, above darter's limit of "
            f"{LARGEST_SIDE}"
        )
    if signature.sides(sides, USUAL_SIZE) == sides:
        return
    takes = "×".join(str(side or "any") for side in signature.size)
    height, width = sides
    given = f"{height}" if height == width else f"{height}×{width}"
    raise ModelFileError(f"{path}: takes pictures of {takes} pixels, but size is {given}")
