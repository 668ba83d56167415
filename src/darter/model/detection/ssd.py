"""The outputs of single-shot detectors (SSD) as rows of boxes.

boxes (N, P, 4) and scores (N, P, 1 + classes), of which the first is the background's; or
boxes (N, K, 4), labels (N, K) that count from 1, and scores (N, K), without doubles.
Corners are x0, y0, x1, y1, in shares of the input's sides or in its pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.model.detection.suppress import suppress

OVERLAP = 0.45  # from which two boxes are one thing: Liu et al., arXiv:1512.02325
LARGEST_SHARE = 2.0  # corners beyond it are pixels
SUM_ERROR = 1e-2  # of a picture's scores, which a softmax has made


@dataclass(frozen=True)
class SsdOutputs:
    """boxes: (N, P, 4).   scores: (N, P, 1 + classes), or (N, P) with their labels (N, P)."""

    boxes: NDArray[Any]
    scores: NDArray[Any]
    labels: NDArray[Any] | None = None

    @classmethod
    def of(cls, outputs: Sequence[NDArray[Any]]) -> "SsdOutputs":
        """Told apart by their shapes, and by what scores and labels look like.

        Raises ModelFileError for other outputs.
        """
        wide = [each for each in outputs if each.ndim == 3]
        boxes = [each for each in wide if each.shape[2] == 4 and not _is_softmax(each)]
        scores = [each for each in wide if not any(each is box for box in boxes)]
        if len(boxes) == 1 and len(scores) == 1 and scores[0].shape[:2] == boxes[0].shape[:2]:
            return cls(boxes[0], scores[0])
        if len(boxes) == 1:
            rows = [each for each in outputs if each.shape == boxes[0].shape[:2]]
            if len(rows) == 2:
                labels, sure = sorted(rows, key=_unlike_labels)
                return cls(boxes[0], sure, labels)
        raise ModelFileError(
            "an SSD's outputs are boxes (N, P, 4) and scores (N, P, 1 + classes), or boxes, labels "
            f"(N, K) and scores (N, K); got {', '.join(str(each.shape) for each in outputs)}"
        )

    @property
    def classes(self) -> int | None:
        """How many there are, where the scores say so."""
        return self.scores.shape[2] - 1 if self.labels is None else None

    def rows(self, sides: tuple[int, int], least: float, most: int) -> list[NDArray[np.float64]]:
        """Per picture (D, 6): corners in pixels of an input of (height, width), score, class."""
        height, width = sides
        found = []
        shares = np.abs(self.boxes).max(initial=0.0) <= LARGEST_SHARE
        scale = np.array([width, height, width, height], float) if shares else np.ones(4)
        for number, corners in enumerate(self.boxes.astype(np.float64) * scale):
            if self.labels is None:
                scores = self.scores[number][:, 1:]
                box, label = np.nonzero(scores >= least)
                score = scores[box, label]
                kept = suppress(corners[box], score, label, overlap=OVERLAP, most=most)
                box, label, score = box[kept], label[kept], score[kept]
            else:
                score, label = self.scores[number], self.labels[number].astype(int) - 1
                box = np.flatnonzero((score >= least) & (label >= 0))
                label, score = label[box], score[box]
            found.append(np.column_stack((corners[box], score, label)))
        return found


def _is_softmax(table: NDArray[Any]) -> bool:
    """Whether a row's values are shares of one."""
    sums = table.sum(axis=2)
    return bool((table >= 0).all() and (np.abs(sums - 1) < SUM_ERROR).all())


def _unlike_labels(table: NDArray[Any]) -> tuple[bool, float]:
    """Labels come first: whole numbers, and of two tables of those the larger ones."""
    return not np.array_equal(table, np.round(table)), -float(table.max(initial=0.0))
