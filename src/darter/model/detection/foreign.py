"""Detectors that darter did not make: their outputs, described by a name, as darter's own.

yolo    (N, 4 + classes, P): x, y, width, height of boxes, then scores (YOLOv8 and later); or
        (N, P, 5 + classes) with an objectness before the scores (YOLOv5 to v7); or
        (N, K, 6): corners, score, class, without doubles (end to end)
ssd     boxes and scores, or boxes, labels and scores: see `ssd.py`
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, OptionError
from darter.model.detection.detector import Detector
from darter.model.detection.ssd import SsdOutputs
from darter.model.detection.suppress import suppress
from darter.model.info import ModelInfo, check_classes, metadata, model_file
from darter.model.session import Session, load
from darter.net import read_model
from darter.picture import Preprocess

FORMATS = ("yolo", "ssd")
USUAL_SIZE = 640
LEAST_SCORE = 0.01
MOST = 300


@dataclass(frozen=True)
class ForeignSession:
    """Runs a foreign file; `run` gives (N, K, 6) as darter's own detectors do."""

    session: Session
    format: str = "yolo"

    @property
    def runtime(self) -> str:
        return self.session.runtime

    @property
    def precision(self) -> str:
        return self.session.precision

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs = self.outputs(x)
        if self.format == "ssd":
            sides = (x.shape[2], x.shape[3])
            return padded(SsdOutputs.of(outputs).rows(sides, LEAST_SCORE, MOST))
        return padded([yolo_rows(each) for each in _tables(outputs[0])])

    def outputs(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        output = self.session.run(x)
        return output if isinstance(output, list) else [output]

    def classes(self, sides: tuple[int, int]) -> list[str]:
        """Names for classes that nobody named, as many as the outputs for an empty picture say.

        Raises OptionError where they do not say it.
        """
        outputs = self.outputs(np.zeros((1, 3, *sides), np.float32))
        count: int | None
        if self.format == "ssd":
            count = SsdOutputs.of(outputs).classes
        else:
            count = _tables(outputs[0])[0].shape[1] - 4
        if count is None:
            raise OptionError("the file does not say how many classes it has: name them, --classes")
        return [f"class {k}" for k in range(count)]


def yolo_rows(table: NDArray[Any]) -> NDArray[np.float64]:
    """(D, 6), corners, score, class, without doubles, of one picture's output as `_tables` gives
    it: (P, 6) of an end-to-end file; else (P, 4 + classes)."""
    if table.shape[1] == 6 and _is_end_to_end(table):
        return table[table[:, 4] >= LEAST_SCORE].astype(np.float64)
    scores = table[:, 4:]
    label = scores.argmax(axis=1)
    best = scores.max(axis=1)
    sure = best >= LEAST_SCORE
    x, y, width, height = table[sure, :4].T.astype(np.float64)
    corners = np.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2), axis=1)
    kept = suppress(corners, best[sure], label[sure], most=MOST)
    return np.column_stack((corners, best[sure], label[sure]))[kept]


def _is_end_to_end(table: NDArray[Any]) -> bool:
    """Corners in order and whole class numbers: by chance no other output looks so."""
    whole = np.array_equal(table[:, 5], np.round(table[:, 5]))
    return bool(whole and (table[:, 2:4] >= table[:, :2]).all() and (table[:, 4] <= 1).all())


def _tables(output: NDArray[Any]) -> list[NDArray[Any]]:
    """(P, 4 + classes) per picture, whichever way the output lies; objectness multiplied in."""
    if output.ndim != 3:
        raise ModelFileError(f"a YOLO's output has 3 axes; this one has {output.ndim}")
    if output.shape[1] < output.shape[2]:  # fewer values than places
        return list(output.transpose(0, 2, 1))
    if output.shape[2] == 6:
        return list(output)
    scores = output[:, :, 4:5] * output[:, :, 5:]
    return list(np.concatenate((output[:, :, :4], scores), axis=2))


def padded(rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """(N, K, 6), filled up with rows of score 0."""
    most = max((len(each) for each in rows), default=0)
    table = np.zeros((len(rows), max(1, most), 6), np.float32)
    for out, each in zip(table, rows, strict=True):
        out[: len(each)] = each
    return table


def foreign_detector(
    path: Path | str,
    format: str,
    *,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    runtime: str = "auto",
    threads: int | None = None,
) -> Detector:
    """A detector's file that is not darter's. Pictures are fitted into its input, black beside
    them, with colors in [0, 1] less the mean, divided by std.

    classes: names, without the background; by default those in the file's own metadata, or
        class 0, class 1, …
    size: side of its input, where the file takes any.
    Raises OptionError for an unknown format; ModelFileError for another output.
    """
    if format not in FORMATS:
        raise OptionError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    session = load(path, runtime=runtime, threads=threads, size=size)
    sides = session.signature.sides(size, USUAL_SIZE)
    preprocess = Preprocess(sides, None, "pad", tuple(mean or (0.0,) * 3), tuple(std or (1.0,) * 3))
    foreign = ForeignSession(session, format)
    names = list(classes) if classes is not None else _names(model_file(path))
    if names is None:
        names = foreign.classes(sides)
    info = ModelInfo(check_classes(names, str(path)), preprocess, task="detect")
    return Detector(foreign, info)


def _names(path: Path) -> list[str] | None:
    """The classes' names where the file's metadata has them, as ultralytics writes them."""
    text = metadata(read_model(path).proto).get("names", "")
    try:
        found = ast.literal_eval(text)
        return [str(found[k]) for k in sorted(found)] if isinstance(found, dict) else list(found)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
